"""Callable functions, for apps with a Firebase SDK. They enter at the services; failures carry our codes in `details`.

Source: Firebase, "Protocol specification for https.onCall".
"""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar
from uuid import uuid4

from firebase_functions.https_fn import CallableRequest, FunctionsErrorCode, HttpsError
from flask import Request, Response, jsonify
from pydantic_core import to_json, to_jsonable_python

from wattle.adapters.firestore import FirestoreContention, FirestoreUnavailable
from wattle.context import Context, IdempotentCall
from wattle.errors import Contention, Internal, Unavailable, WattleError
from wattle.http.authentication import bearer, demanded, signed_in, verified
from wattle.http.idempotency import idempotent_call
from wattle.http.validation import InvalidJson, parse_body
from wattle.kit.retry import Deadline
from wattle.orders.schemas import CreateOrder
from wattle.services import Services

logger = logging.getLogger(__name__)

Guarded = Callable[[Request], Response]

_DEADLINE: Final = 20.0
_CODES: Final[Mapping[int, FunctionsErrorCode]] = {
    400: FunctionsErrorCode.INVALID_ARGUMENT,
    401: FunctionsErrorCode.UNAUTHENTICATED,
    403: FunctionsErrorCode.PERMISSION_DENIED,
    404: FunctionsErrorCode.NOT_FOUND,
    429: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    500: FunctionsErrorCode.INTERNAL,
    503: FunctionsErrorCode.UNAVAILABLE,
}
T = TypeVar("T")


def guard(services: Callable[[], Services], function: Callable[..., Any]) -> Guarded:
    """Refuse in our own words what firebase_functions would answer with 500 or a bare 401, before it looks.

    That is a body that is no JSON object, and a token that is not valid. It also connects first, because without the
    default app every token counts as invalid there.
    """

    @wraps(function)
    def guarded(request: Request) -> Response:
        try:
            ready = services()
            if request.method == "POST":
                if not isinstance(request.get_json(silent=True), dict):
                    raise InvalidJson('The body must be a JSON object with the member "data".')
                if "Authorization" in request.headers:
                    verified(bearer(request.headers["Authorization"]), ready.verifier)
        except WattleError as error:
            refusal = https_error(error, str(uuid4()))
            response = jsonify(error=refusal._as_dict())  # noqa: SLF001 (firebase_functions writes its answers with it)
            response.status_code = error.code.status
            return response
        answer: Response = function(request)
        return answer

    return guarded


def create_order(services: Services, request: CallableRequest[Any]) -> dict[str, Any]:
    """Place an order: `data` is the body of `POST /v1/orders`, plus an `idempotencyKey` if wanted."""

    def work(ctx: Context, data: dict[str, Any]) -> dict[str, Any]:
        key = data.pop("idempotencyKey", None)
        body = to_json(data)
        order = parse_body(body, CreateOrder)
        call: IdempotentCall | None = idempotent_call(key, ctx.user.uid, "createOrder", body)
        placed = services.orders.placement.create(Context(ctx.request_id, ctx.deadline, ctx.caller, call), order)
        return {"order": to_jsonable_python(placed.order, by_alias=True), "replayed": placed.replayed}

    return _called(services, request, work)


def _called(services: Services, request: CallableRequest[Any], work: Callable[[Context, dict[str, Any]], T]) -> T:
    """Run `work` for the signed-in caller; every failure becomes an HttpsError with our code."""
    request_id = uuid4().hex
    try:
        deadline = Deadline.after(_DEADLINE)
        header = request.raw_request.headers.get("Authorization")
        caller, check = signed_in(header, services, deadline)
        with demanded(check):
            return work(Context(request_id, deadline, caller), _object(request.data))
    except WattleError as error:
        raise https_error(error, request_id) from error
    except FirestoreContention as error:
        logger.warning("contention", exc_info=error)
        raise https_error(Contention(), request_id) from error
    except FirestoreUnavailable as error:
        logger.warning("Firestore is unavailable", exc_info=error)
        raise https_error(Unavailable("The database"), request_id) from error
    except Exception as error:
        logger.exception("unexpected", exc_info=error)
        raise https_error(Internal(), request_id) from error


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidJson("`data` must be an object.")
    return dict(data)


def https_error(error: WattleError, request_id: str) -> HttpsError:
    """Our error as a callable's: `details` is `{"code", "requestId", "errors"?, "retryAfter"?}`."""
    details: dict[str, Any] = {"code": error.code.name, "requestId": request_id}
    if error.errors:
        details["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in error.errors]
    if error.retry_after is not None:
        details["retryAfter"] = error.retry_after
    # 409 and 422 say that the request is fine, and the state of things is not.
    code = _CODES.get(error.code.status, FunctionsErrorCode.FAILED_PRECONDITION)
    return HttpsError(code, error.message, details)
