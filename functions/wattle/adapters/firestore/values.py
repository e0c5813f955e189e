"""Firestore values and documents as Python has them.

| Firestore | Python |
|---|---|
| null, boolean, string, bytes | None, bool, str, bytes |
| integer (64 bits), double | int, float |
| timestamp (microseconds) | datetime, aware, UTC |
| reference | Reference |
| array, map | list, dict |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from wattle.adapters.firestore.messages import Value

Data = dict[str, Any]
"""A document's fields: names to Python values of the table above."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a document by its path from the database's root, such as `orders/abc`."""

    path: str


@dataclass(frozen=True, slots=True)
class Increment:
    """A field transform: add `by` to the stored number (0 where there is none)."""

    by: int


class _ServerTimestamp:
    """A field transform: the time at which the server commits, in milliseconds' precision."""


SERVER_TIMESTAMP: Final = _ServerTimestamp()


# Not frozen, which makes it in less than half of the time: a list makes a hundred of them.
@dataclass(slots=True)
class Document:
    """A stored document: `path` from the root, its last segment `id`, its fields (those of the projection)."""

    path: str
    data: Data
    # As they were sent: of a list's documents hardly anybody asks when they were made.
    created: Any = field(repr=False, compare=False)
    updated: Any = field(repr=False, compare=False)

    @property
    def create_time(self) -> datetime:
        return decode_time(self.created)

    @property
    def update_time(self) -> datetime:
        return decode_time(self.updated)

    @property
    def id(self) -> str:
        return self.path.rpartition("/")[2]


class Snapshot(NamedTuple):
    """What a query found, and `read_time`: the documents are as every commit up to then left them (server's clock)."""

    documents: list[Document]
    read_time: datetime


def encode(value: Any, root: str) -> Any:  # noqa: C901, PLR0911 (one return for each type of the table)
    """The protocol buffer `Value` of a Python value; `root` is `projects/p/databases/d/documents`.

    Raises:
        TypeError: for a type that Firestore has no value for, and for a naive datetime.
    """
    match value:
        case None:
            return Value(null_value=0)
        case bool():
            return Value(boolean_value=value)
        case int():
            return Value(integer_value=value)
        case str():
            return Value(string_value=value)
        case datetime():
            return _encode_time(value)
        case float():
            return Value(double_value=value)
        case Mapping():
            message = Value()
            message.map_value.SetInParent()
            for key, member in value.items():
                message.map_value.fields[key].CopyFrom(encode(member, root))
            return message
        case list() | tuple():
            message = Value()
            message.array_value.SetInParent()
            message.array_value.values.extend(encode(member, root) for member in value)
            return message
        case bytes():
            return Value(bytes_value=value)
        case Reference(path):
            return Value(reference_value=f"{root}/{path}")
        case _:
            raise TypeError(f"Firestore has no value for a {type(value).__name__}")


def _encode_time(moment: datetime) -> Any:
    if moment.tzinfo is None:
        raise TypeError("a naive datetime has no place in Firestore: give it a time zone")
    since = moment - _EPOCH
    message = Value()
    message.timestamp_value.seconds = since // timedelta(seconds=1)
    message.timestamp_value.nanos = since.microseconds * 1000
    return message


def decode_time(timestamp: Any) -> datetime:
    """A protocol buffer `Timestamp` as a datetime in UTC, cut to microseconds."""
    # By position, which takes two thirds of the time: days, seconds, microseconds.
    return _EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1000)


def decode(value: Any) -> Any:
    """The Python value of a protocol buffer `Value`."""
    kind = value.WhichOneof("value_type")
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return getattr(value, kind)
    if kind == "timestamp_value":
        return decode_time(value.timestamp_value)
    if kind == "map_value":
        return decode_fields(value.map_value.fields)
    if kind == "array_value":
        return [decode(member) for member in value.array_value.values]
    if kind == "reference_value":
        return Reference(value.reference_value.split("/documents/", 1)[1])
    if kind == "null_value":
        return None
    raise TypeError(f"a value of type {kind} is not used in Wattle's data")


_SIMPLE: Final = dict.fromkeys(("string_value", "integer_value", "boolean_value", "double_value", "bytes_value"), True)


def decode_fields(fields: Any) -> Data:
    """The Python values of a protocol buffer map of fields: what `decode` makes of each.

    Half of what a list costs is spent here, so the usual types are not handed on to `decode`: 20 orders take 0.5 ms in
    place of 0.7.
    """
    data: Data = {}
    for name in fields:
        value = fields[name]
        kind = value.WhichOneof("value_type")
        if kind == "string_value":
            data[name] = value.string_value
        elif kind == "integer_value":
            data[name] = value.integer_value
        elif kind == "map_value":
            data[name] = decode_fields(value.map_value.fields)
        elif kind == "null_value":
            data[name] = None
        elif kind == "timestamp_value":
            data[name] = decode_time(value.timestamp_value)
        elif kind == "boolean_value":
            data[name] = value.boolean_value
        else:
            data[name] = decode(value)
    return data


def decode_document(message: Any) -> Document:
    return Document(
        path=message.name.split("/documents/", 1)[1],
        data=decode_fields(message.fields),
        created=message.create_time,
        updated=message.update_time,
    )
