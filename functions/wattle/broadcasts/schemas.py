import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wattle.inbox.message import LANGUAGE
from wattle.schema import Body, Moment, Resource, UserId
from wattle.users.preferences import Kind
from wattle.users.schemas import HttpsUrl, Locale

RECIPIENTS_MOST: Final = 10_000

# FCM, "About FCM messages": keys that must not be used, and prefixes. In APNs' payload the data stand beside `aps` and
# FCM's own `fcm_options`, which they must not replace. In no spelling, so that nobody reads one as the other.
_RESERVED: Final = frozenset({"from", "message_type", "collapse_key", "aps", "fcm_options"})
_RESERVED_PREFIXES: Final = ("google", "gcm")
_OURS: Final = frozenset({"notificationId", "kind", "link"})
# They turn the direction of text around, and can make it say something else than it seems to.
_BIDI: Final = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def _no_control_characters(text: str) -> str:
    wrong = {f"U+{ord(c):04X}" for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or _BIDI.match(c)}
    if wrong:
        raise PydanticCustomError(
            "control_characters", "control characters are not shown: {wrong}", {"wrong": ", ".join(sorted(wrong))}
        )
    return text


def _none_at_the_ends(text: Any) -> Any:
    # Before white space is stripped, of which U+0085 and the tabulator are.
    return _no_control_characters(text) if isinstance(text, str) else text


Clean = AfterValidator(_no_control_characters)
CleanToTheEnds = BeforeValidator(_none_at_the_ends)
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), CleanToTheEnds]
Content = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), CleanToTheEnds]
DataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")]
DataValue = Annotated[str, StringConstraints(max_length=4096), Clean]
# What a browser runs, or opens without asking the app: an app that opens whatever link it is sent must not be made to.
_DANGEROUS_SCHEMES: Final = frozenset(
    {"http", "javascript", "vbscript", "data", "file", "blob", "about", "content", "intent", "ws", "wss", "ftp"}
)


def _of_the_app(link: str) -> str:
    scheme = link.partition(":")[0]
    if scheme in _DANGEROUS_SCHEMES:
        raise PydanticCustomError(
            "scheme", "a link is https or of a scheme of the app's own, not {scheme}", {"scheme": scheme}
        )
    return link


Link = Annotated[
    str,
    StringConstraints(pattern=r"^(https|[a-z][a-z0-9+.-]{1,40})://[^\s]{1,2000}$", max_length=2048),
    Clean,
    AfterValidator(_of_the_app),
    Field(examples=["wattle://products/p1"]),
]


def _is_reserved(key: str) -> bool:
    return key in _RESERVED or key.startswith(_RESERVED_PREFIXES)


class BroadcastState(StrEnum):
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"


class NewText(Body):
    title: Title
    body: Content


class NewAudience(Body):
    """Exactly one of `users` (their ids), `topic`, and `condition` over topics."""

    users: Annotated[list[UserId] | None, Field(min_length=1, max_length=RECIPIENTS_MOST)] = None
    topic: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    condition: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.users, self.topic, self.condition)) != 1:
            raise ValueError("give exactly one of users, topic and condition")
        return self


class NewBroadcast(Body):
    """A message to many. `texts` are by language and have English at least; a topic gets the English one.

    `scheduledAt` is when it begins, within a year; now where it is absent or over.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "audience": {"users": ["b0cWq8vXh2Tn4KfLrPz7"]},
                    "kind": "promotions",
                    "texts": {
                        "en": {"title": "Cake", "body": "Today only."},
                        "de": {"title": "Kuchen", "body": "Nur heute."},
                    },
                    "data": {"productId": "lamington"},
                    "image": "https://example.com/lamington.png",
                    "link": "wattle://products/lamington",
                    "scheduledAt": "2027-01-26T22:00:00Z",
                }
            ]
        }
    )

    audience: NewAudience
    # JSON has no enums: strict mode would refuse every text.
    kind: Annotated[Kind, Field(strict=False)]
    texts: Annotated[dict[Locale, NewText], Field(max_length=20)]
    data: Annotated[dict[DataKey, DataValue], Field(max_length=50, default_factory=dict)]
    image: Annotated[HttpsUrl, Clean] | None = None
    link: Link | None = None
    # Moment reads the text itself, and strict mode would refuse it then.
    scheduled_at: Annotated[Moment | None, Field(strict=False)] = None

    @field_validator("texts")
    @classmethod
    def _english(cls, texts: dict[str, NewText]) -> dict[str, NewText]:
        if LANGUAGE not in texts:
            raise PydanticCustomError("language_missing", "the text in English (en) is missing")
        return texts

    @field_validator("data")
    @classmethod
    def _nothing_reserved(cls, data: dict[str, str]) -> dict[str, str]:
        wrong = [key for key in data if key in _OURS or _is_reserved(key.lower())]
        if wrong:
            raise PydanticCustomError(
                "reserved_key", "these keys are reserved: {wrong}", {"wrong": ", ".join(sorted(wrong))}
            )
        return data


class Text(Resource):
    title: str
    body: str


class Audience(Resource):
    """`users` is how many."""

    users: int | None
    topic: str | None
    condition: str | None


class Broadcast(Resource):
    """`chunks` of 100 people, of which `chunks_done` are dealt with. `failure` is FCM's code, or EXPIRED."""

    id: str
    state: BroadcastState
    audience: Audience
    kind: Kind
    texts: dict[str, Text]
    data: dict[str, str]
    image: str | None
    link: str | None
    scheduled_at: datetime
    created_at: datetime
    created_by: str
    updated_at: datetime
    chunks: int
    chunks_done: int
    failure: str | None


class Statistics(Resource):
    """A broadcast and what became of its deliveries.

    `deliveries` are by state: queued, sent, failed, pruned (the device was gone), deferred (quiet hours), withheld.
    `codes` are by FCM's error code, or by the reason why it was withheld: KIND_OFF, MUTED, READ, CANCELLED, EXPIRED. To
    a topic or a condition there is one delivery: FCM does not tell whom it reached.
    """

    broadcast: Broadcast
    deliveries: dict[str, int]
    codes: dict[str, int]


class Preview(Resource):
    """Whom a broadcast would reach now: devices it would be pushed to, by platform and by locale.

    `deferred` and `withheld` (by reason) are devices that get it after their quiet hours, or not at all; the inbox of
    each of `recipients` gets it in any case. For a topic or a condition `recipients` is null; above 10,000 subscribed
    devices those counted are a part (`complete` is false).
    """

    recipients: int | None
    devices: int
    by_platform: dict[str, int]
    by_locale: dict[str, int]
    deferred: int
    withheld: dict[str, int]
    complete: bool


class DryRun(Resource):
    """What FCM would say, of 100 devices at most: how many it would accept, and why not the others."""

    accepted: int
    refused: dict[str, int]
