"""What a person lets us push to the phone, and when. The inbox gets every message, whatever is said here.

- `muted` silences everything.
- A kind that is off is never pushed. Promotions are off until the person agrees: see `Consent`.
- In the quiet hours a push waits for their end, but for the kinds that the setting QUIET_HOURS_EXEMPT names.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from wattle.schema import Body, Resource

# For a person whose phone never said where it is: where the shop is.
TIME_ZONE: Final = "Australia/Sydney"

LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ConsentSource = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$"), Field(examples=["sign-up"])]


class Kind(StrEnum):
    """What a message is about."""

    ORDERS = "orders"
    PROMOTIONS = "promotions"
    ACCOUNT = "account"


class QuietHours(Resource):
    """Local times in the person's time zone, `end` excluded; they may span midnight."""

    start: str
    end: str


class Consent(Resource):
    """Whether the person agreed to promotions, when, and where in the app he said so.

    Each change is kept: `users/{uid}/consents/{id}`.
    """

    granted: bool
    at: datetime
    source: str | None


class NotificationPreferences(Resource):
    """What may be pushed to the phone; the inbox gets all of it."""

    orders: bool = True
    promotions: bool = False
    account: bool = True
    muted: bool = False
    quiet_hours: QuietHours | None = None
    promotions_consent: Consent | None = None

    def wants(self, kind: Kind) -> bool:
        """Whether the person wants messages of this kind pushed, be he muted at the moment or not."""
        wanted: bool = getattr(self, kind.value)
        return wanted

    def allows(self, kind: Kind) -> bool:
        """Whether messages of this kind may be pushed at the moment, apart from the quiet hours."""
        return self.wants(kind) and not self.muted


class NewQuietHours(Body):
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end must differ; to silence everything set muted")
        return self


class PreferencesChange(Body):
    """Fields that are absent stay as they are; `quietHours: null` ends the quiet hours.

    `consentSource` says where in the app the person decided about promotions, such as `sign-up` or `settings`. Turning
    promotions on needs it, because the law asks for a record of the consent.
    """

    orders: bool | None = None
    promotions: bool | None = None
    account: bool | None = None
    muted: bool | None = None
    quiet_hours: NewQuietHours | None = None
    consent_source: ConsentSource | None = None

    @model_validator(mode="after")
    def _consent_is_recorded(self) -> Self:
        if self.promotions and self.consent_source is None:
            raise ValueError("promotions need consentSource: where in the app the person agreed")
        return self


@dataclass(frozen=True, slots=True)
class PushNow:
    """The message may be pushed."""


@dataclass(frozen=True, slots=True)
class PushLater:
    """The quiet hours end at `due`, aware and in UTC."""

    due: datetime


@dataclass(frozen=True, slots=True)
class DoNotPush:
    """`reason` is MUTED or KIND_OFF."""

    reason: str


Verdict = PushNow | PushLater | DoNotPush


class Recipient(NamedTuple):
    """A person as a message finds him. `known`: he has a profile; `deleted`: he had one and left."""

    uid: str
    preferences: NotificationPreferences
    locale: str | None
    timezone: str | None
    known: bool
    deleted: bool

    @classmethod
    def stored(cls, uid: str, data: Mapping[str, Any] | None) -> Self:
        """From the profile's fields; the defaults for a person without one."""
        if data is None:
            return cls(uid, NotificationPreferences(), None, None, known=False, deleted=False)
        return cls(
            uid,
            NotificationPreferences.stored(data["notificationPreferences"]),
            data["locale"],
            data["timezone"],
            known=True,
            deleted=data["deletedAt"] is not None,
        )

    def verdict(self, kind: Kind, now: datetime, exempt: AbstractSet[str]) -> Verdict:
        """Whether a message of this kind is pushed now. `exempt` are the kinds that quiet hours do not hold back."""
        if self.preferences.muted:
            return DoNotPush("MUTED")
        if not self.preferences.wants(kind):
            return DoNotPush("KIND_OFF")
        if self.preferences.quiet_hours is None or kind in exempt:
            return PushNow()
        due = quiet_until(self.preferences.quiet_hours, ZoneInfo(self.timezone or TIME_ZONE), now)
        return PushNow() if due is None else PushLater(due)


def quiet_until(hours: QuietHours, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the quiet hours that it is in end, in UTC; None outside of them.

    It goes by the clock on the wall: in a night in which the clocks change they are an hour longer or shorter. An end
    that the clocks skip counts by the old time, of one that comes twice the first that is still ahead counts.
    """
    local = now.astimezone(zone)
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    present = local.time()
    if start < end:
        inside, ends_tomorrow = start <= present < end, False
    else:
        inside, ends_tomorrow = present >= start or present < end, present >= start
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if ends_tomorrow else 0)
    due = datetime.combine(day, end, zone).astimezone(UTC)
    # In the hour that comes twice, the first end may have passed already.
    return due if due > now else datetime.combine(day, end, zone).replace(fold=1).astimezone(UTC)
