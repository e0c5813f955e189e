"""What FCM refuses, with the body it answers. Nothing refused is ever recorded."""

import pytest

FCM_INVALID = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"}


def bad_request(field, text):
    violation = {"field": field, "description": text} if field else {"description": text}
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}


def refusal(response):
    error = response.json()["error"]
    assert response.status_code == error["code"] == 400
    assert error["status"] == "INVALID_ARGUMENT"
    return error


# What Google's JSON parser refuses: message, field, text.
UNREADABLE = [
    (
        {"toen": "a"},
        "message",
        """Invalid JSON payload received. Unknown name "toen" at 'message': Cannot find field.""",
    ),
    ({"data": {"n": 12}}, "message.data[0].value", "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"),
    (
        {"data": {"a": "x", "n": True}},
        "message.data[1].value",
        "Invalid value at 'message.data[1].value' (TYPE_STRING), true",
    ),
    (
        {"topic": "t"},
        "message",
        "Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set 'topic'",
    ),
    (
        {"notification": "hello"},
        "message.notification",
        "Invalid value at 'message.notification' (type.googleapis.com/google.firebase.fcm.v1.Notification), \"hello\"",
    ),
    (
        {"notification": [{"title": "x"}]},
        "message",
        (
            """Invalid JSON payload received. Unknown name "notification" at 'message': """
            "Proto field is not repeating, cannot start list."
        ),
    ),
    (
        {"notification": {"click_action": "x"}},
        "message.notification",
        """Invalid JSON payload received. Unknown name "click_action" at 'message.notification': Cannot find field.""",
    ),
    (
        {"android": {"ttl": "3"}},
        "message.android.ttl",
        (
            "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), Field 'ttl', "
            "Illegal duration format; duration must end with 's'"
        ),
    ),
    (
        {"android": {"ttl": 3600}},
        "message.android.ttl",
        "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), 3600",
    ),
    (
        {"android": {"priority": "urgent"}},
        "message.android.priority",
        (
            "Invalid value at 'message.android.priority' "
            '(type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority), "urgent"'
        ),
    ),
    (
        {"android": {"notification": {"notification_count": "many"}}},
        "message.android.notification.notification_count",
        "Invalid value at 'message.android.notification.notification_count' (TYPE_INT32), \"many\"",
    ),
    (
        {"android": {"notification": {"sticky": 1}}},
        "message.android.notification.sticky",
        "Invalid value at 'message.android.notification.sticky' (TYPE_BOOL), 1",
    ),
    (
        {"android": {"notification": {"body_loc_args": ["a", 2]}}},
        "message.android.notification.body_loc_args[1]",
        "Invalid value at 'message.android.notification.body_loc_args[1]' (TYPE_STRING), 2",
    ),
    (
        {"android": {"notification": {"event_time": "yesterday"}}},
        "message.android.notification.event_time",
        (
            "Invalid value at 'message.android.notification.event_time' "
            '(type.googleapis.com/google.protobuf.Timestamp), "yesterday"'
        ),
    ),
    (
        {"apns": {"headers": {"apns-priority": 10}}},
        "message.apns.headers[0].value",
        "Invalid value at 'message.apns.headers[0].value' (TYPE_STRING), 10",
    ),
    (
        {"apns": {"payload": "x"}},
        "message.apns.payload",
        "Invalid value at 'message.apns.payload' (type.googleapis.com/google.protobuf.Struct), \"x\"",
    ),
]


@pytest.mark.parametrize(("message", "field", "text"), UNREADABLE)
def test_the_parser_names_the_field(sink, message, field, text):
    error = refusal(sink.post({"message": {"fid": "a", **message}}))
    assert error["message"] == text
    assert error["details"] == [bad_request(field, text)]
    assert sink.messages() == []


def test_the_parser_names_every_field(sink):
    error = refusal(sink.post({"validate": 1, "message": {"fid": "a", "x": 1, "data": {"y": 2}}}))
    texts = [
        'Invalid JSON payload received. Unknown name "validate": Cannot find field.',
        """Invalid JSON payload received. Unknown name "x" at 'message': Cannot find field.""",
        "Invalid value at 'message.data[0].value' (TYPE_STRING), 2",
    ]
    assert error["message"] == "\n".join(texts)
    violations = error["details"][0]["fieldViolations"]
    assert violations == [
        {"description": texts[0]},
        {"field": "message", "description": texts[1]},
        {"field": "message.data[0].value", "description": texts[2]},
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"message": {"fid": "a", "data": {"x": NaN}}}',
        b"\xff\xfe{",
        b"[" * 50_000,
        b'{"message": {"fid": "a", "notification": {"title": "half a pair \\ud83d"}}}',
        b'{"message": {"fid": "a", "apns": {"payload": {"n": 1e999}}}}',
        b'{"message": {"fid": "a", "apns": {"payload": {"n": ' + b"[" * 900 + b"]" * 900 + b"}}}}",
    ],
)
def test_what_is_no_json_object_is_refused(sink, body):
    error = refusal(sink.post(body))
    assert error["message"].startswith("Invalid JSON payload received.")
    assert sink.messages() == []


LONG = "x" * 4090
LIGHT = {"color": {"red": 1, "green": 0, "blue": 0, "alpha": 1}, "light_on_duration": "1s", "light_off_duration": "1s"}

# What FCM itself refuses: message, field, text.
REFUSED = [
    ({}, "message", "Recipient of the message is not set."),
    ({"fid": None, "data": {"a": "b"}}, "message", "Recipient of the message is not set."),
    ({"topic": "/topics/news"}, "message", "Topic name contains invalid characters."),
    ({"topic": "a b"}, "message", "Topic name contains invalid characters."),
    ({"topic": ""}, "message", "Topic name contains invalid characters."),
    ({"topic": "x" * 901}, "message", "Topic name contains invalid characters."),
    ({"fid": "a", "data": {"from": "me"}}, "message.data", "Invalid data payload key: from"),
    ({"fid": "a", "data": {"message_type": "x"}}, "message.data", "Invalid data payload key: message_type"),
    ({"fid": "a", "data": {"google.x": "x"}}, "message.data", "Invalid data payload key: google.x"),
    (
        {"fid": "a", "data": {"gcm.notification.title": "x"}},
        "message.data",
        "Invalid data payload key: gcm.notification.title",
    ),
    ({"fid": "a", "android": {"data": {"from": "x"}}}, "message.android.data", "Invalid data payload key: from"),
    ({"fid": "a", "webpush": {"data": {"from": "x"}}}, "message.webpush.data", "Invalid data payload key: from"),
    ({"fid": "a", "android": {"ttl": "-1s"}}, "message.android.ttl", "TTL must be between 0 and 2419200 seconds."),
    (
        {"fid": "a", "android": {"ttl": "2419200.5s"}},
        "message.android.ttl",
        "TTL must be between 0 and 2419200 seconds.",
    ),
    (
        {"fid": "a", "android": {"notification": {"color": "red"}}},
        "message.android.notification.color",
        "The color must be in #rrggbb format.",
    ),
    (
        {"fid": "a", "android": {"notification": {"notification_count": -1}}},
        "message.android.notification.notification_count",
        "The notification count must not be negative.",
    ),
    (
        {"fid": "a", "android": {"notification": {"light_settings": {**LIGHT, "color": {"red": 1.5}}}}},
        "message.android.notification.light_settings.color.red",
        "red must be in the interval [0, 1].",
    ),
    (
        {"fid": "a", "android": {"notification": {"light_settings": {"color": {}, "light_on_duration": "1s"}}}},
        "message.android.notification.light_settings.light_off_duration",
        "light_off_duration is required.",
    ),
    (
        {"fid": "a", "android": {"notification": {"title_loc_args": ["a"]}}},
        "message.android.notification.title_loc_args",
        "title_loc_args needs title_loc_key.",
    ),
    (
        {"fid": "a", "webpush": {"headers": {"TTL": "-5"}}},
        "message.webpush.headers.TTL",
        "TTL must be a non-negative integer.",
    ),
    (
        {"fid": "a", "webpush": {"fcm_options": {"link": "http://example.com"}}},
        "message.webpush.fcm_options.link",
        "The link must be an HTTPS URL.",
    ),
    (
        {"fid": "a", "apns": {"headers": {"apns-priority": "7"}}},
        "message.apns.headers.apns-priority",
        "apns-priority must be 1, 5 or 10.",
    ),
    (
        {"fid": "a", "fcm_options": {"analytics_label": "a b"}},
        "message.fcm_options.analytics_label",
        "The analytics label must match ^[a-zA-Z0-9-_.~%]{1,50}$.",
    ),
]


@pytest.mark.parametrize(("message", "field", "text"), REFUSED)
def test_fcm_names_the_field(sink, message, field, text):
    error = refusal(sink.post({"message": message}))
    assert error["message"] == text
    assert error["details"] == [bad_request(field, text), FCM_INVALID]
    assert sink.messages() == []


@pytest.mark.parametrize("kind", ["fid", "token"])
@pytest.mark.parametrize("value", ["", "a b", "a\nb", "ünicode", "x" * 4097])
def test_a_malformed_target_is_the_targets_fault(sink, kind, value):
    error = refusal(sink.post({"message": {kind: value}}))
    text = "The registration token is not a valid FCM registration token"
    assert error["message"] == text
    assert error["details"] == [FCM_INVALID, bad_request(f"message.{kind}", text)]


CONDITIONS = [
    "",
    "news",
    "'news'",
    "'news' in topic",
    "'a' in topics &&",
    "'a' in topics & 'b' in topics",
    "('a' in topics",
    "'a' in topics)",
    "!",
    "'a b' in topics",
    " || ".join(f"'t{n}' in topics" for n in range(6)),
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_malformed_condition_gets_the_bare_status(sink, condition):
    error = refusal(sink.post({"message": {"condition": condition}}))
    assert error == {"code": 400, "message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}


def payload_of(size, **target):
    """Keys and values together are `size` bytes."""
    return {**target, "data": {"key": "x" * (size - 3)}}


@pytest.mark.parametrize(
    "accepted",
    [
        payload_of(4096, fid="a"),
        payload_of(4096, token="a"),
        payload_of(2048, topic="t"),
        payload_of(2048, condition="'t' in topics"),
        {"fid": "a", "notification": {"title": "ü" * 1000, "body": "y" * (4096 - 2000 - 9)}},
        # A platform's own data replaces the common data.
        {"fid": "a", "data": {"key": "x" * 2000}, "android": {"data": {"key": "y" * 4000}}},
    ],
)
def test_a_payload_at_the_limit_is_accepted(sink, accepted):
    sink.send(**accepted)
    assert len(sink.messages()) == 1


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        (payload_of(4097, fid="a"), "4K (4096 bytes)"),
        (payload_of(2049, topic="t"), "2K (2048 bytes)"),
        (payload_of(2049, condition="'t' in topics"), "2K (2048 bytes)"),
        ({"fid": "a", "notification": {"title": "ü" * 2100}}, "4K (4096 bytes)"),
        ({"fid": "a", "notification": {"body": LONG}, "data": {"more": "than that"}}, "4K (4096 bytes)"),
        ({"fid": "a", "apns": {"payload": {"aps": {"alert": "x" * 5000}}}}, "4K (4096 bytes)"),
        ({"fid": "a", "webpush": {"notification": {"body": "x" * 5000}}}, "4K (4096 bytes)"),
        ({"fid": "a", "data": {"k": "x" * 70_000}}, "4K (4096 bytes)"),
    ],
)
def test_a_larger_payload_is_refused(sink, message, limit):
    error = refusal(sink.post({"message": message}))
    assert error["message"] == f"Message is too large. The maximum is {limit}."
    assert error["details"] == [{"@type": "type.googleapis.com/google.rpc.BadRequest"}, FCM_INVALID]
    assert sink.messages() == []


@pytest.mark.parametrize("key", ["fromage", "googled", "gcm", "collapse_key", "message_types"])
def test_keys_that_only_look_reserved_are_accepted(sink, key):
    sink.send(fid="a", data={key: "x"})
