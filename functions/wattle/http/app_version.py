"""The header `X-App-Version`: apps that are too old are told to update."""

from wattle.errors import Code, FieldError, ValidationFailed, WattleError
from wattle.http.exchange import Exchange
from wattle.kit import versions


class AppUpgradeRequired(WattleError):
    code = Code.APP_UPGRADE_REQUIRED

    def __init__(self, given: str, minimum: versions.Version) -> None:
        needed = ".".join(str(number) for number in minimum[:3])
        super().__init__(f"Version {given} of the app is not supported any more. Update it to {needed} or newer.")


def demand_recent_app(exchange: Exchange) -> None:
    """Refuse an app below `MIN_APP_VERSION`. Who sends no version is no app of ours, or one that needs no gate.

    Raises:
        ValidationFailed: this is no version.
        AppUpgradeRequired.
    """
    given = exchange.request.headers.get("X-App-Version")
    if given is None or not exchange.route.gated:
        return
    version = versions.parse(given)
    if version is None:
        raise ValidationFailed([FieldError("X-App-Version", "INVALID_VERSION", "A version such as 1.2.3.")])
    minimum = exchange.services.config.min_app_version
    if minimum is not None and version < minimum:
        raise AppUpgradeRequired(given, minimum)
