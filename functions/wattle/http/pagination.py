"""Cursor pagination.

A cursor says where a page ended. It is opaque, signed, and bound to its caller and to the parameters that choose and
order the list, so that it can neither be made up nor carried over to another list. `limit` may change between pages.
Page 1,000 costs what page 1 costs, because the database starts at the cursor.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from wattle.context import Context
from wattle.errors import Code, WattleError
from wattle.http.envelope import Page
from wattle.kit.parallel import side_by_side
from wattle.kit.slices import Slice
from wattle.schema import PageParameters

T = TypeVar("T")

# Half of SHA-256's output keeps the cursor short and leaves 2**128 to guess (RFC 2104 section 5).
_SIGNATURE_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class InvalidCursor(WattleError):
    """Not one of ours, or used with other parameters or by another caller."""

    code = Code.INVALID_CURSOR

    def __init__(self) -> None:
        super().__init__("The cursor does not belong to this list. Start again without it.")


class CursorSigner:
    """Makes cursors with `secret`, and reads those that were made with it or with the `former` one."""

    def __init__(self, secret: str, former: str | None = None) -> None:
        secrets = (secret,) if former is None else (secret, former)
        # Keyed once, and copied for each cursor: to have OpenSSL look for its algorithm takes three times as long.
        self._keyed = [
            hmac.new(hashlib.sha256(b"cursor:" + each.encode()).digest(), digestmod="sha256") for each in secrets
        ]

    def sign(self, position: Sequence[Any], uid: str, route: str, binding: Mapping[str, Any]) -> str:
        """The cursor after the row at `position`: its values of the list's order, times and plain JSON values."""
        payload = _json([_pack(value) for value in position]).encode()
        signature = self._signature(self._keyed[0], payload, uid, route, binding)
        return base64.urlsafe_b64encode(signature + payload).rstrip(b"=").decode()

    def read(self, cursor: str, uid: str, route: str, binding: Mapping[str, Any]) -> list[Any]:
        """The position in a cursor of this very list.

        Raises:
            InvalidCursor.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor from error
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not any(
            hmac.compare_digest(signature, self._signature(keyed, payload, uid, route, binding))
            for keyed in self._keyed
        ):
            raise InvalidCursor
        return [_unpack(value) for value in json.loads(payload)]

    @staticmethod
    def _signature(keyed: hmac.HMAC, payload: bytes, uid: str, route: str, binding: Mapping[str, Any]) -> bytes:
        bound = _json([uid, route, dict(sorted(binding.items()))]).encode()
        # The length in front keeps the two parts from being shifted against each other.
        signing = keyed.copy()
        signing.update(len(bound).to_bytes(4, "big") + bound + payload)
        return signing.digest()[:_SIGNATURE_BYTES]


def _pack(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"t": (value - _EPOCH) // timedelta(microseconds=1)}
    return value


def _unpack(value: Any) -> Any:
    return _EPOCH + timedelta(microseconds=value["t"]) if isinstance(value, dict) else value


def position(parameters: PageParameters, ctx: Context, name: str, signer: CursorSigner) -> list[Any] | None:
    """Where the page starts: after this position, None at the list's start. `name` names the list.

    Raises:
        InvalidCursor.
    """
    if parameters.cursor is None:
        return None
    return signer.read(parameters.cursor, ctx.user.uid, name, parameters.binding())


def with_total(
    parameters: PageParameters, rows: Callable[[], Slice[T]], total: Callable[[], int]
) -> tuple[Slice[T], int | None]:
    """The rows, and how many there are in all where that is asked for: side by side, so that it takes no longer."""
    if not parameters.include_total:
        return rows(), None
    calls: list[Callable[[], Any]] = [rows, total]
    found, number = side_by_side(calls)
    return found, number


def page(  # noqa: PLR0913 (what a page is made of)
    part: Slice[T],
    parameters: PageParameters,
    ctx: Context,
    name: str,
    signer: CursorSigner,
    *,
    total: int | None = None,
) -> Page[T]:
    """The page of a slice, with the cursor that leads on from it."""
    cursor = None
    if part.end is not None:
        cursor = signer.sign(part.end, ctx.user.uid, name, parameters.binding())
    return Page(part.rows, parameters.size, cursor, has_next=cursor is not None, total=total)
