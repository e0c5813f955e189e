"""Callable functions, for apps with a Firebase SDK. They enter at the services; failures carry our codes in `details`.

Source: Firebase, "Protocol specification for https.onCall".
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, get_type_hints
from uuid import uuid4

from firebase_functions.https_fn import CallableRequest, FunctionsErrorCode, HttpsError
from flask import Request, Response, jsonify
from pydantic import StringConstraints
from pydantic_core import to_json, to_jsonable_python

from wattle.context import Context
from wattle.devices.schemas import Device, RegisterDevice
from wattle.errors import Code, WattleError
from wattle.failures import told
from wattle.http.app_check import verify_app
from wattle.http.authentication import bearer, demanded, signed_in, verified
from wattle.http.idempotency import idempotent_call
from wattle.http.maintenance import demand_open
from wattle.http.validation import InvalidJson, parse_body, parse_json, read_body
from wattle.inbox.schemas import Notification
from wattle.kit.retry import Deadline
from wattle.orders.schemas import CancelOrder, CreateOrder, Order
from wattle.rate_limits.policies import Limits
from wattle.schema import Body, PathId, Resource
from wattle.services import Services

Handler = Callable[[Request], Response]

_DEADLINE: Final = 20.0
_CODES: Final[Mapping[int, FunctionsErrorCode]] = {
    400: FunctionsErrorCode.INVALID_ARGUMENT,
    401: FunctionsErrorCode.UNAUTHENTICATED,
    403: FunctionsErrorCode.PERMISSION_DENIED,
    404: FunctionsErrorCode.NOT_FOUND,
    413: FunctionsErrorCode.INVALID_ARGUMENT,
    415: FunctionsErrorCode.INVALID_ARGUMENT,
    429: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    500: FunctionsErrorCode.INTERNAL,
    503: FunctionsErrorCode.UNAVAILABLE,
}
# Swift's Int and Kotlin's Long are sent as `{"@type": ..., "value": "1"}`, because JavaScript has no 64-bit numbers.
_LONGS: Final = (
    "type.googleapis.com/google.protobuf.Int64Value",
    "type.googleapis.com/google.protobuf.UInt64Value",
)
_INTEGER: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Where the guard puts the header that it takes away: environ keys with a dot are an application's own (PEP 3333).
_AUTHORIZATION: Final = "wattle.authorization"


class Call(NamedTuple):
    """One callable function: `work` takes the services, the context and the model of `data`, and returns the result."""

    work: Callable[[Services, Context, Any], Resource]
    limit: Limits = Limits.GENERAL

    @property
    def data(self) -> type[Body]:
        """What an app sends, as the signature of `work` says."""
        model: type[Body] = get_type_hints(self.work)["data"]
        return model

    @property
    def result(self) -> type[Resource]:
        """What it gets."""
        model: type[Resource] = get_type_hints(self.work)["return"]
        return model


class PlaceOrder(CreateOrder):
    """The body of `POST /v1/orders`, and what its header `Idempotency-Key` says there."""

    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None


class CancelOneOrder(CancelOrder):
    order_id: PathId


class RegisterOneDevice(RegisterDevice):
    device_id: PathId


class MarkOneRead(Body):
    notification_id: PathId


class PlacedOrder(Resource):
    """`replayed`: an earlier call with the same key made it."""

    order: Order
    replayed: bool


class CancelledOrder(Resource):
    order: Order


class RegisteredDevice(Resource):
    device: Device


class ReadNotification(Resource):
    notification: Notification


def exported(services: Callable[[], Services], on_call: Callable[[Callable[..., Any]], Any], name: str) -> Handler:
    """The function that apps call by `name`, one of CALLS, deployed as `on_call` says."""
    call, model = CALLS[name], CALLS[name].data

    def called(request: CallableRequest[Any]) -> Any:
        return _called(services(), request, call, model)

    called.__name__ = name
    function = on_call(called)
    guarded = _guard(services, function)
    guarded.__name__ = name
    guarded.__firebase_endpoint__ = function.__firebase_endpoint__  # type: ignore[attr-defined]  # (the manifest reads it)
    return guarded


def _guard(services: Callable[[], Services], function: Handler) -> Handler:
    """Refuse in our own words what firebase_functions would answer with 500 or without a code, before it looks.

    That is a body of another form than the protocol's, and a token that is not valid. It connects first, and takes
    away the headers that firebase_functions would verify once more: it fetches keys for each token of App Check that
    anybody makes up, and waits up to 30 s for them.
    """

    def guarded(request: Request) -> Response:
        authorization = request.environ.pop("HTTP_AUTHORIZATION", None)
        app_check = request.environ.pop("HTTP_X_FIREBASE_APPCHECK", None)
        request.environ[_AUTHORIZATION] = authorization
        try:
            ready = services()
            if request.method == "POST":
                demand_open(ready, authorization)
                verify_app(app_check, ready.app_check)
                if authorization is not None:
                    verified(bearer(authorization), ready.verifier)
                body = parse_json(read_body(request))
                if not isinstance(body, dict) or set(body) != {"data"}:
                    raise InvalidJson('The body must be a JSON object with the one member "data".')
        except WattleError as error:
            refusal = https_error(told(error), uuid4().hex)
            response = jsonify(error=refusal._as_dict())  # noqa: SLF001 (firebase_functions writes its answers with it)
            response.status_code = refusal._http_error_code.status  # noqa: SLF001 (as above)
            # As on_call answers by default: an app in a browser could not read the error otherwise.
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response
        return function(request)

    return guarded


def create_order(services: Services, ctx: Context, data: PlaceOrder) -> PlacedOrder:
    """Place an order at the shop's prices."""
    content = to_json(data.model_dump(mode="json", exclude={"idempotency_key"}))
    call = idempotent_call(data.idempotency_key, ctx.user.uid, "createOrder", content)
    placed = services.orders.placement.create(ctx._replace(idempotent=call), data)
    return PlacedOrder(order=placed.order, replayed=placed.replayed)


def cancel_order(services: Services, ctx: Context, data: CancelOneOrder) -> CancelledOrder:
    """Cancel a pending or confirmed order. Cancelling it again answers the same."""
    return CancelledOrder(order=services.orders.amendments.cancel(ctx, data.order_id, data.reason))


def register_device(services: Services, ctx: Context, data: RegisterOneDevice) -> RegisteredDevice:
    """Make or renew a device, under an id that the app chooses and keeps."""
    return RegisteredDevice(device=services.devices.register(ctx, data.device_id, data))


def mark_notification_read(services: Services, ctx: Context, data: MarkOneRead) -> ReadNotification:
    """Mark a message as read. Doing it twice is no error; the first time counts."""
    return ReadNotification(notification=services.inbox.mark_read(ctx, data.notification_id))


CALLS: Final[Mapping[str, Call]] = {
    "createOrder": Call(create_order, Limits.ORDERS),
    "cancelOrder": Call(cancel_order),
    "registerDevice": Call(register_device),
    "markNotificationRead": Call(mark_notification_read),
}
"""Every callable function, by the name that apps call it by."""


def decoded(value: Any) -> Any:
    """What an SDK sent, with its numbers as numbers, and those that are whole as integers: 1 may also come as 1.0.

    That is what Node's firebase-functions makes of it (`decode` in lib/common/providers/https.js; firebase_functions
    0.6.0 has none), but of a text that only begins with a number. That, and what it throws for, is left as it came: no
    model takes it, and so the field is named.
    """
    if isinstance(value, list):
        return [decoded(member) for member in value]
    if isinstance(value, dict):
        if value.get("@type") in _LONGS and (number := _number(value.get("value"))) is not None:
            return number
        return {name: decoded(member) for name, member in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _number(value: Any) -> Any:
    """The number that a wrapped one stands for, None where it is none."""
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return int(value)
        return decoded(float(value)) if _DECIMAL.fullmatch(value) else None
    return decoded(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _called(services: Services, request: CallableRequest[Any], call: Call, model: type[Body]) -> dict[str, Any]:
    """The result for the signed-in caller; every failure becomes an HttpsError with our code."""
    request_id = uuid4().hex
    try:
        deadline = Deadline.after(_DEADLINE)
        caller, check = signed_in(request.raw_request.environ[_AUTHORIZATION], services, deadline)
        services.rate_limits.take(call.limit, f"user:{caller.uid}")
        with demanded(lambda: check):
            data = parse_body(to_json(decoded(request.data)), model)
            answer = call.work(services, Context(request_id, deadline, caller), data)
        plain: dict[str, Any] = to_jsonable_python(answer, by_alias=True)
    except Exception as error:
        raise https_error(told(error), request_id) from error
    return plain


def https_error(error: WattleError, request_id: str) -> HttpsError:
    """Our error as a callable's: `details` is `{"code", "requestId", "errors"?, "retryAfter"?}`."""
    details: dict[str, Any] = {"code": error.code.name, "requestId": request_id}
    if error.errors:
        details["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in error.errors]
    if error.retry_after is not None:
        details["retryAfter"] = error.retry_after
    return HttpsError(sdk_code(error.code), error.message, details)


def sdk_code(code: Code) -> FunctionsErrorCode:
    """The code by which an SDK knows one of ours."""
    # 409 and 422 say that the request is fine, and the state of things is not.
    return _CODES.get(code.status, FunctionsErrorCode.FAILED_PRECONDITION)
