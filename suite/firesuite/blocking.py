"""Auth's blocking functions: what fireemu hands to Node's handler becomes the request that Identity Platform sends, and
what Python answers becomes what Node's handler would have returned.

Identity Platform sends `{"data": {"jwt": ...}}`, a token whose claims describe the user and the sign-in
(https://cloud.google.com/identity-platform/docs/blocking-functions). With an Auth emulator in its environment the SDK
reads it without asking for a signature. fireemu tells neither address nor agent, nor the method when a
user is made: they are filled in here.
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from firesuite.events import TriggerRequest
from firesuite.proxy import Answer

_TOKEN_SECONDS = 3600
_USER_FIELDS = {
    "uid": "uid",
    "email": "email",
    "emailVerified": "email_verified",
    "displayName": "display_name",
    "photoURL": "photo_url",
    "phoneNumber": "phone_number",
    "disabled": "disabled",
    "tenantId": "tenant_id",
    "customClaims": "custom_claims",
}
_PROVIDER_FIELDS = {
    "uid": "uid",
    "providerId": "provider_id",
    "displayName": "display_name",
    "email": "email",
    "photoURL": "photo_url",
    "phoneNumber": "phone_number",
}


def to_request(project_id: str, event: Mapping[str, Any]) -> TriggerRequest:
    """The request that Identity Platform would send for this event."""
    user = event["data"]
    issued = _seconds(event["timestamp"])
    # providers/cloud.auth/eventTypes/user.beforeSignIn:password
    event_type, _, method = event["eventType"].rpartition(".")[2].partition(":")
    claims = {
        "iss": f"https://securetoken.google.com/{project_id}",
        "aud": "https://run.app",
        "sub": user["uid"],
        "iat": issued,
        "exp": issued + _TOKEN_SECONDS,
        "event_id": event["eventId"],
        "event_type": event_type,
        "user_record": _user_record(user),
        "sign_in_method": method or ("password" if user.get("email") else "anonymous"),
        "ip_address": event.get("ipAddress") or "127.0.0.1",
        "user_agent": event.get("userAgent") or "firesuite",
        "locale": event.get("locale") or "und",
    }
    if user.get("tenantId"):
        claims["tenant_id"] = user["tenantId"]
    body = json.dumps({"data": {"jwt": _unsigned(claims)}}).encode()
    return TriggerRequest({"content-type": "application/json"}, body)


def to_node(answer: Answer) -> Answer:
    """`{"result": ...}` with what Node's handler would return, or `{"error": {"code", "message"}}` for what it would
    throw."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = {}
    if answer.status == HTTPStatus.OK:
        record = {key: value for key, value in document.get("userRecord", {}).items() if key != "updateMask"}
        return Answer.text(200, json.dumps({"result": record}), "application/json")
    error = document.get("error") or {}
    refused = {
        "code": str(error.get("status", "INTERNAL")).lower().replace("_", "-"),
        "message": str(error.get("message") or "INTERNAL"),
    }
    return Answer.text(200, json.dumps({"error": refused}), "application/json")


def _user_record(user: Mapping[str, Any]) -> dict[str, Any]:
    metadata = user["metadata"]
    times = {"creation_time": metadata["creationTime"], "last_sign_in_time": metadata.get("lastSignInTime")}
    record = {name: user[key] for key, name in _USER_FIELDS.items() if user.get(key) is not None}
    return {
        **record,
        # In milliseconds here, in seconds everywhere else of the token.
        "metadata": {name: _seconds(value) * 1000 for name, value in times.items() if value},
        "provider_data": [
            {name: entry[key] for key, name in _PROVIDER_FIELDS.items() if entry.get(key) is not None}
            for entry in user.get("providerData", ())
        ],
    }


def _seconds(rfc3339: str) -> int:
    # fireemu counts nanoseconds, datetime microseconds; a token counts seconds.
    return int(dt.datetime.fromisoformat(f"{rfc3339.removesuffix('Z').partition('.')[0]}+00:00").timestamp())


def _unsigned(claims: Mapping[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join([*encoded, ""])
