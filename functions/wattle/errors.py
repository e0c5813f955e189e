"""The registry of error codes. A client's program reads `code`; a person reads `message`.

Every failure that a client can see is a `WattleError` whose class stands beside the service that raises it. It stores
the facts and builds its own sentence. What caused it (`__cause__`) goes to the log, never to the client.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Code(Enum):
    """Every code, with the HTTP status (RFC 9110) that it always comes with and what it means to a caller."""

    VALIDATION_FAILED = (400, "Fields are missing or wrong; `errors` names each of them.")
    INVALID_JSON = (400, "The body is not JSON.")
    INVALID_CURSOR = (400, "The cursor is not one of ours, or belongs to other parameters or another caller.")
    TOKEN_MISSING = (401, "No `Authorization: Bearer` header.")
    TOKEN_MALFORMED = (401, "The bearer token is not a JWT of the form Firebase issues.")
    TOKEN_EXPIRED = (401, "The ID token has expired: refresh it.")
    TOKEN_REVOKED = (401, "The session was revoked, or the account is gone: sign in again.")
    TOKEN_WRONG_PROJECT = (401, "The ID token is for another Firebase project.")
    TOKEN_INVALID = (401, "The ID token's signature or claims do not hold, or its user id cannot name a document.")
    APP_CHECK_MISSING = (401, "No `X-Firebase-AppCheck` header: only our own apps may call.")
    APP_CHECK_INVALID = (401, "The App Check token has expired or cannot be trusted: get a new one.")
    INVALID_CREDENTIALS = (401, "The address or the password is wrong, or the address is not confirmed yet.")
    INVALID_REFRESH_TOKEN = (401, "The refresh token is not valid any more: sign in again.")
    RECENT_SIGN_IN_REQUIRED = (401, "This needs a sign-in of the last five minutes: sign in again and repeat it.")
    USER_DISABLED = (403, "The account is disabled.")
    ACCOUNT_DELETED = (403, "The account is deleted; signing in again within the grace period brings it back.")
    ROLE_REQUIRED = (403, "The caller lacks the role that this needs.")
    EMAIL_NOT_VERIFIED = (
        403,
        "The address is not proven, which is demanded here: follow the mailed link, then refresh the token.",
    )
    MULTI_FACTOR_AUTH_REQUIRED = (
        403,
        "The account has a second factor, which is not asked for here: use a Firebase SDK for this.",
    )
    REGISTRATION_CLOSED = (
        403,
        "Sign-up is switched off in the Firebase project, or its blocking function refuses this.",
    )
    ROUTE_NOT_FOUND = (404, "No such route.")
    USER_NOT_FOUND = (404, "No such user, or he left.")
    BROADCAST_NOT_FOUND = (404, "No such broadcast.")
    NOTIFICATION_NOT_FOUND = (404, "No such notification, or it is somebody else's.")
    TOPIC_NOT_FOUND = (404, "No topic of this name can be subscribed to.")
    ORDER_NOT_FOUND = (404, "No such order, or it is somebody else's.")
    PRODUCT_NOT_FOUND = (404, "No such product, or it is not sold now.")
    METHOD_NOT_ALLOWED = (405, "The route exists, not with this method; `Allow` lists those it has.")
    EMAIL_EXISTS = (409, "The address has an account. Only where registration is immediate is this told.")
    EMAIL_MISSING = (409, "The account has no e-mail address, which this needs.")
    OWN_ACCOUNT = (409, "Administrators cannot disable themselves or take away their own role.")
    CLAIMS_TOO_LONG = (409, "The account's other custom claims leave no room for this: shorten them first.")
    INVALID_TRANSITION = (409, "The order's status does not allow this.")
    ORDER_NOT_PENDING = (409, "Only a pending order can be changed.")
    ORDER_STILL_OPEN = (409, "Only a finished order can be removed.")
    OUT_OF_STOCK = (409, "Fewer items are left than were ordered; `errors` names them.")
    STOCK_NOT_COUNTED = (409, "The product's stock is unlimited: set it before changing it by a difference.")
    BROADCAST_ENDED = (409, "The broadcast is sent or has failed: nothing is left to cancel.")
    CONSENT_REQUIRED = (409, "The person's notification preferences do not allow this.")
    NO_DEVICE = (409, "The person has no registered device.")
    TOO_MANY_TOPICS = (409, "The person is subscribed to as many topics as are possible.")
    PRECONDITION_FAILED = (412, "The resource is not at the version that `If-Match` names: read it again.")
    BODY_TOO_LARGE = (413, "The body is larger than 1 MB.")
    UNSUPPORTED_MEDIA_TYPE = (415, "The body must be `application/json`.")
    IDEMPOTENCY_KEY_REUSED = (422, "The Idempotency-Key was used before, with another body.")
    PRODUCT_UNAVAILABLE = (422, "A product does not exist or is not sold now; `errors` names it.")
    MIXED_CURRENCIES = (422, "The products are priced in different currencies.")
    UNKNOWN_TOPIC = (422, "The topic is not one of those that exist.")
    TOPIC_OF_ANOTHER_KIND = (422, "The topic's subscribers agreed to messages of another kind.")
    INVALID_CONDITION = (422, "The condition over topics is malformed, or reaches devices without any of its topics.")
    PAYLOAD_TOO_LARGE = (422, "The message is larger than FCM takes: 4 KB to devices, 2 KB to topics.")
    WEAK_PASSWORD = (422, "The password is too weak.")
    APP_UPGRADE_REQUIRED = (426, "The app (`X-App-Version`) is too old: ask its user to update it.")
    RATE_LIMITED = (429, "Too many requests: wait for Retry-After seconds.")
    TOO_MANY_ATTEMPTS = (429, "Too many attempts: wait for Retry-After seconds.")
    INTERNAL = (500, "Our fault. Quote the request id when you report it.")
    CONTENTION = (503, "Too many requests change the same data: try again after Retry-After seconds.")
    MAINTENANCE = (503, "Down for maintenance: try again after Retry-After seconds.")
    UNAVAILABLE = (503, "Something we depend on did not answer: try again after Retry-After seconds.")

    def __init__(self, status: int, meaning: str) -> None:
        self.status = status
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong in the request: `field` is a path such as `items[0].quantity`."""

    field: str
    code: str
    message: str


class WattleError(Exception):
    """Something that a client is told, with a code of the registry."""

    code: ClassVar[Code]
    retry_after: int | None = None
    """Seconds, sent as Retry-After: set where trying again later helps."""

    def __init__(self, message: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)


class Internal(WattleError):
    """Our fault. The answer says nothing of the cause; the log does."""

    code = Code.INTERNAL

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side. Quote the request id when you report it.")


class Unavailable(WattleError):
    """A service that we depend on did not answer in time."""

    code = Code.UNAVAILABLE
    retry_after = 2

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} did not answer in time. Try again.")


class Contention(WattleError):
    """Too many requests change the same data at once."""

    code = Code.CONTENTION
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("Too many requests are changing the same data. Try again.")


class ValidationFailed(WattleError):
    """The request's parameters or body do not fit; `errors` names every field."""

    code = Code.VALIDATION_FAILED

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("The request has fields that are missing or wrong.", errors=errors)
