"""The header `X-Firebase-AppCheck`: the call comes from one of our apps, on a device that is what it says."""

from wattle.adapters.app_check import AppCheckVerifier, InvalidAppCheckToken
from wattle.adapters.keys import KeysUnavailable
from wattle.errors import Code, Unavailable, WattleError
from wattle.http.exchange import Exchange


class AppCheckMissing(WattleError):
    code = Code.APP_CHECK_MISSING

    def __init__(self) -> None:
        super().__init__("Send the app's App Check token as `X-Firebase-AppCheck`.")


class AppCheckInvalid(WattleError):
    code = Code.APP_CHECK_INVALID

    def __init__(self) -> None:
        super().__init__("The App Check token has expired or cannot be trusted. Get a new one.")


def demand_our_app(exchange: Exchange) -> None:
    """See `verify_app`; routes that are not gated ask nothing."""
    if exchange.route.gated:
        verify_app(exchange.request.headers.get("X-Firebase-AppCheck"), exchange.services.app_check)


def verify_app(header: str | None, verifier: AppCheckVerifier | None) -> None:
    """Return for a call of one of our apps, and for every call where App Check is switched off (None).

    Raises:
        AppCheckMissing, AppCheckInvalid; Unavailable when nobody can tell.
    """
    if verifier is None:
        return
    if not header:
        raise AppCheckMissing
    try:
        verifier.verify(header)
    except InvalidAppCheckToken as error:
        raise AppCheckInvalid from error
    except KeysUnavailable as error:
        raise Unavailable("Firebase App Check") from error
