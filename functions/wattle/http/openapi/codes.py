"""The errors that a route can answer with: those that its endpoint's docstring names, and those of its row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import Final

from wattle.errors import Code, WattleError
from wattle.http.routing import Access, BoundRoute

_NAME: Final = re.compile(r"[A-Z]\w+")

_ALWAYS: Final = (Code.VALIDATION_FAILED, Code.RATE_LIMITED, Code.INTERNAL, Code.CONTENTION, Code.UNAVAILABLE)
_GATED: Final = (Code.APP_CHECK_MISSING, Code.APP_CHECK_INVALID, Code.APP_UPGRADE_REQUIRED, Code.MAINTENANCE)
_SESSION: Final = (
    Code.TOKEN_MISSING,
    Code.TOKEN_MALFORMED,
    Code.TOKEN_EXPIRED,
    Code.TOKEN_REVOKED,
    Code.TOKEN_WRONG_PROJECT,
    Code.TOKEN_INVALID,
    Code.USER_DISABLED,
    Code.ACCOUNT_DELETED,
)
_OF_ACCESS: Final[Mapping[Access, Sequence[Code]]] = {
    Access.PUBLIC: (),
    Access.USER: _SESSION,
    Access.CHECKED_USER: _SESSION,
    Access.RECENT_USER: (*_SESSION, Code.RECENT_SIGN_IN_REQUIRED),
    Access.RETURNING_USER: _SESSION,
    Access.ADMIN: (*_SESSION, Code.ROLE_REQUIRED),
}
_OF_BODY: Final = (Code.INVALID_JSON, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)


def codes_of(bound: BoundRoute) -> list[Code]:
    """Every error that a route can answer with, in the registry's order.

    Raises:
        TypeError: the docstring of its endpoint names an error that there is not, or its access is not known here.
    """
    route = bound.route
    if route.access not in _OF_ACCESS:
        raise TypeError(f"{route.name}: add {route.access} to _OF_ACCESS in {__name__}, with what it can refuse with")
    codes = {*_ALWAYS, *_OF_ACCESS[route.access], *_raised(bound)}
    if route.access is not Access.PUBLIC and not route.unproven:
        codes.add(Code.EMAIL_NOT_VERIFIED)
    if route.gated:
        codes.update(_GATED)
    if bound.body is not None:
        codes.update(_OF_BODY)
    if bound.query is not None and "cursor" in bound.query.model_fields:
        codes.add(Code.INVALID_CURSOR)
    if route.idempotent:
        codes.add(Code.IDEMPOTENCY_KEY_REUSED)
    if route.conditional:
        codes.add(Code.PRECONDITION_FAILED)
    return [code for code in Code if code in codes]


def _raised(bound: BoundRoute) -> list[Code]:
    known: dict[str, Code] = {}
    for kind in _below(WattleError):
        if known.setdefault(kind.__name__, kind.code) is not kind.code:
            raise TypeError(f"two error classes of different codes are called {kind.__name__}: rename one")
    names = _raised_names(bound)
    missing = [name for name in names if name not in known]
    if missing:
        raise TypeError(
            f"{bound.route.name}: the docstring of its endpoint raises {', '.join(missing)}, which is no WattleError"
        )
    return [known[name] for name in names]


def _raised_names(bound: BoundRoute) -> list[str]:
    """The class names of a docstring's section `Raises:`; what follows a colon, and lines indented more, explain."""
    _, _, section = cleandoc(bound.route.endpoint.__doc__ or "").partition("\nRaises:\n")
    lines = [line for line in section.splitlines() if line.startswith("    ") and not line.startswith("     ")]
    return [name for line in lines for name in _NAME.findall(line.partition(":")[0])]


def _below(kind: type[WattleError]) -> Iterator[type[WattleError]]:
    for below in kind.__subclasses__():
        if hasattr(below, "code"):
            yield below
        yield from _below(below)
