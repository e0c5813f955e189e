"""What can go wrong in Firestore, by what a caller can do about it."""

import grpc


class FirestoreError(Exception):
    """A call failed for a reason that trying again does not change: a bug or a missing index."""


class AlreadyExists(FirestoreError):
    """A document that should be created is there."""


class PreconditionFailed(FirestoreError):
    """A document that should be changed is missing, or not the version that was meant."""


class FirestoreContention(FirestoreError):
    """Others changed the same documents at each attempt (gRPC ABORTED). Nothing was written."""


class FirestoreUnavailable(FirestoreError):
    """No answer in time. `maybe_applied`: a commit may have taken effect."""

    def __init__(self, message: str, *, maybe_applied: bool) -> None:
        super().__init__(message)
        self.maybe_applied = maybe_applied


# After these a commit may or may not have happened; for a read they only mean "not now".
_UNCERTAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


def from_grpc(error: grpc.RpcError, method: str) -> FirestoreError:  # noqa: PLR0911 (one return for each kind)
    """Our error for a gRPC status (google.rpc.Code)."""
    status: grpc.StatusCode = error.code()
    message = f"{method}: {status.name}: {error.details()}"
    match status:
        case grpc.StatusCode.ALREADY_EXISTS:
            return AlreadyExists(message)
        case grpc.StatusCode.NOT_FOUND:
            return PreconditionFailed(message)
        case grpc.StatusCode.FAILED_PRECONDITION if method == "Commit":
            return PreconditionFailed(message)
        case grpc.StatusCode.ABORTED:
            return FirestoreContention(message)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return FirestoreUnavailable(message, maybe_applied=False)
        case _ if status in _UNCERTAIN:
            return FirestoreUnavailable(message, maybe_applied=method == "Commit")
        case _:
            return FirestoreError(message)
