from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from wattle.schema import Body, Resource
from wattle.users.preferences import Kind
from wattle.users.schemas import PhoneLocale


class RegisterDevice(Body):
    """Exactly one of `fid`, the Firebase Installation ID, and `token`, the registration token of an older app."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"fid": "cXyz0123456789abcdefgh", "platform": "ios", "appVersion": "2.4.1", "locale": "en-AU"},
            ]
        }
    )

    # A Firebase Installation ID is 22 characters of base64url, the first of c, d, e, f.
    fid: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"), Field(examples=["cXyz0123456789abcdefgh"])]
        | None
    ) = None
    # It begins with the installation's id and a colon: without one, all such tokens would be of one installation.
    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_:-]{0,4095}$")] | None = None
    platform: Literal["android", "ios", "web"]
    app_version: Annotated[
        str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+){0,3}([+-][0-9A-Za-z.-]+)?$", max_length=40)
    ]
    locale: PhoneLocale

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.fid is None) == (self.token is None):
            raise ValueError("give exactly one of fid and token")
        return self


class Device(Resource):
    id: str
    fid: str | None
    token: str | None
    platform: str
    app_version: str
    locale: str
    topics: list[str]
    last_seen_at: datetime
    created_at: datetime


TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~%-]{1,200}$")]


class Topic(Resource):
    """`kind` says which of the notification preferences governs it."""

    topic: str
    kind: Kind
