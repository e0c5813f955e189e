import re
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from wattle.schema import Body, Resource
from wattle.users.preferences import NotificationPreferences


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no IANA time zone such as Australia/Sydney")
    return name


DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
# E.164: a plus and up to 15 digits.
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
HttpsUrl = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https://[^\s]+$")]
# BCP 47, as far as texts differ by it: language, script, region.
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
# What phones call theirs may go on: Android 14 adds what was set in its regional preferences (`en-AU-u-mu-celsius`),
# iOS may use an underscore and keywords (`en_AU@calendar=buddhist`).
_BEYOND_REGION: Final = re.compile(r"-[a-z0-9]-.*|@.*", re.IGNORECASE)


def _to_the_region(tag: Any) -> Any:
    return _BEYOND_REGION.sub("", tag.replace("_", "-")) if isinstance(tag, str) else tag


PhoneLocale = Annotated[Locale, BeforeValidator(_to_the_region)]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(examples=["Australia/Sydney"])]


class ProfileChange(Body):
    """Fields that are absent stay as they are; null clears one that may be empty.

    Notification preferences have an endpoint of their own, which records consent.
    """

    display_name: DisplayName | None = None
    phone_number: PhoneNumber | None = None
    photo_url: HttpsUrl | None = None
    locale: PhoneLocale | None = None
    timezone: TimeZone | None = None


class Profile(Resource):
    id: str
    display_name: str | None
    email: str | None
    phone_number: str | None
    photo_url: str | None
    locale: str | None
    timezone: str | None
    notification_preferences: NotificationPreferences
    created_at: datetime
    updated_at: datetime
    version: int


class PublicProfile(Resource):
    """What others see."""

    id: str
    display_name: str | None
    photo_url: str | None


class Deletion(Resource):
    """Until `purgeAt` signing in again undoes it; afterwards everything is removed, and orders are made anonymous."""

    deleted_at: datetime
    purge_at: datetime


class UserRecord(Resource):
    """What is stored of a user, as far as administrators see it."""

    id: str
    display_name: str | None
    email: str | None
    phone_number: str | None
    photo_url: str | None
    created_at: datetime
    deleted_at: datetime | None
    purge_at: datetime | None = None
