"""Everything that is held about the caller, as one JSON document that is written while it is read.

What is left out, and why, is in docs/privacy.md.

At most a page of 300 documents is in memory. An export that is larger than a request can carry comes in parts: each is
complete JSON, and names the cursor of the next. A part also ends where the database fails in the middle of it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from typing import Any, Final, Literal, NamedTuple, cast

from pydantic_core import to_json

from wattle.accounts.errors import TokenRevoked
from wattle.adapters.firestore import Document, Firestore, FirestoreContention, FirestoreUnavailable, track_usage
from wattle.adapters.identity import Account, Identity
from wattle.adapters.identity_toolkit import IdentityUnavailable
from wattle.context import Context
from wattle.errors import Unavailable
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.privacy.repository import BELOW_USER, COUNTERS, PersonalDataRepository

logger = logging.getLogger(__name__)

_PAGE: Final = 300
# 300 documents take 20 to 60 ms to read: so many fit into half of the function's 60 s, whatever the phone's network.
_PART: Final = 30_000
_DEADLINE: Final = 50.0
# With less time left the part ends where it is.
_RESERVE: Final = 10.0

Position = tuple[str, str | None]
"""A section, and the path of the last document that was written of it, None before the first."""
Page = Callable[[str | None], Sequence[tuple[Document, Any]]]
"""The documents after a path, each with what is written of it."""


class _Section(NamedTuple):
    name: str
    page: Page


class ExportService:
    def __init__(
        self, firestore: Firestore, *, identity: Identity, clock: Clock, page: int = _PAGE, part: int = _PART
    ) -> None:
        self._data = PersonalDataRepository(firestore)
        self._identity = identity
        self._clock = clock
        self._page = page
        self._part = part

    def export(self, ctx: Context, after: Position | None, sign: Callable[[Position], str]) -> Iterator[bytes]:
        """The JSON object, in pieces. `sign` makes the cursor of a position.

        Raises:
            TokenRevoked, where the account is gone, and Unavailable: before the first piece.
        """
        uid = ctx.user.uid
        try:
            account = self._identity.account(uid)
        except IdentityUnavailable as error:
            raise Unavailable("Firebase Authentication") from error
        if account is None:
            raise TokenRevoked
        profile = self._data.profile(uid, ctx.deadline)
        head = {
            "exportedAt": self._clock(),
            "account": _account(account),
            "profile": None if profile is None else _plain(profile),
        }
        return _in_own_context(self._write(uid, head, after, sign))

    def _write(
        self, uid: str, head: dict[str, Any], after: Position | None, sign: Callable[[Position], str]
    ) -> Iterator[bytes]:
        deadline = Deadline.after(_DEADLINE)
        written = 0
        with track_usage() as usage:
            yield to_json(head)[:-1]
            position: Position | None = None
            for section in self._sections(uid, deadline):
                if after is not None and after[0] != section.name:
                    continue
                yield b',"%b":[' % section.name.encode()
                last = after[1] if after else None
                after = None
                separator = b""
                while True:
                    rows = _rows(section, last)
                    if rows is None:
                        position = (section.name, last)
                        break
                    if rows:
                        yield separator + b",".join(to_json(value) for _, value in rows)
                        separator, last = b",", rows[-1][0].path
                        written += len(rows)
                    if len(rows) < self._page:
                        break
                    if written >= self._part or deadline.remaining() < _RESERVE:
                        position = (section.name, last)
                        break
                yield b"]"
                if position is not None:
                    break
            yield b',"nextCursor":%b}' % to_json(None if position is None else sign(position))
        fields = {
            "documents": written,
            "reads": usage.reads,
            "roundTrips": usage.round_trips,
            "complete": position is None,
        }
        logger.info("exported", extra={"fields": fields})

    def _sections(self, uid: str, deadline: Deadline) -> list[_Section]:
        def orders(after: str | None) -> Sequence[tuple[Document, Any]]:
            found = self._data.owned("orders", uid, after, self._page, deadline)
            events: dict[str, list[Any]] = {}
            for event in self._data.events(found, deadline):
                events.setdefault(event.path.split("/")[1], []).append(_plain(event))
            return [(order, {**_plain(order), "events": events.get(order.id, [])}) for order in found]

        def below(name: str) -> Page:
            return lambda after: _plainly(self._data.below_user(uid, name, after, self._page, deadline))

        def owned(name: Literal["installations", "deferrals"]) -> Page:
            return lambda after: _plainly(self._data.owned(name, uid, after, self._page, deadline))

        def audit(after: str | None) -> Sequence[tuple[Document, Any]]:
            # Which of the shop's people it was is theirs.
            found = self._data.audit_about(uid, after, self._page, deadline)
            return [(entry, {**_plain(entry), "actor": "administrator"}) for entry in found]

        return [
            *(_Section(name, below(name)) for name in (*reversed(BELOW_USER), COUNTERS)),
            _Section("installations", owned("installations")),
            _Section("deferrals", owned("deferrals")),
            _Section("orders", orders),
            _Section("auditLog", audit),
        ]


def _rows(section: _Section, last: str | None) -> Sequence[tuple[Document, Any]] | None:
    """The documents after `last`; None where the database does not answer: the next part begins there."""
    try:
        return section.page(last)
    except (FirestoreUnavailable, FirestoreContention) as error:
        logger.warning("an export ends early: the database does not answer", exc_info=error)
        return None


def _in_own_context(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whoever sends the pieces does so after the request was handled: what it counts and logs by goes along."""
    context = copy_context()
    done = object()
    while (piece := context.run(next, pieces, done)) is not done:
        yield cast(bytes, piece)


def _plainly(documents: Sequence[Document]) -> list[tuple[Document, Any]]:
    return [(document, _plain(document)) for document in documents]


def _plain(document: Document) -> dict[str, Any]:
    return {"path": document.path, **document.data}


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.uid,
        "email": account.email,
        "emailVerified": account.email_verified,
        "displayName": account.display_name,
        "phoneNumber": account.phone_number,
        "photoUrl": account.photo_url,
        "disabled": account.disabled,
        "claims": dict(account.claims),
        "initialEmail": account.initial_email,
        "signInProviders": [provider.id for provider in account.providers],
        "identities": [
            {
                "provider": provider.id,
                "rawId": provider.raw_id,
                "federatedId": provider.federated_id,
                "email": provider.email,
                "phoneNumber": provider.phone_number,
                "displayName": provider.display_name,
                "photoUrl": provider.photo_url,
                "screenName": provider.screen_name,
            }
            for provider in account.providers
        ],
        "secondFactors": [
            {
                "displayName": factor.display_name,
                "phoneNumber": factor.phone_number,
                "enrolledAt": factor.enrolled_at,
            }
            for factor in account.second_factors
        ],
        "createdAt": account.created_at,
        "lastSignInAt": account.last_sign_in_at,
    }
