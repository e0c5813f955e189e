"""The custom claims of an account, of which ours are two: `role` and `accountState`.

Identity Toolkit replaces all claims of an account at once, so they are read, changed here, and written as a whole.
Claims that others set are kept.
"""

from collections.abc import Mapping
from typing import Any, Final

from wattle.context import AccountState, Role

_ROLE: Final = "role"
_STATE: Final = "accountState"


def role_in(claims: Mapping[str, Any]) -> Role | None:
    return Role.of(claims.get(_ROLE))


def state_in(claims: Mapping[str, Any]) -> AccountState:
    return AccountState.of(claims.get(_STATE))


def with_role(claims: Mapping[str, Any], role: Role | None) -> dict[str, Any]:
    return _with(claims, _ROLE, None if role is None else role.value)


def with_state(claims: Mapping[str, Any], state: AccountState) -> dict[str, Any]:
    return _with(claims, _STATE, None if state is AccountState.ACTIVE else state.value)


def _with(claims: Mapping[str, Any], name: str, value: str | None) -> dict[str, Any]:
    others = {key: claim for key, claim in claims.items() if key != name}
    return others if value is None else {**others, name: value}
