"""Firestore's values and Python's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from google.cloud.firestore_v1.types import document

Value = document.Value.pb()


class Marker(Enum):
    """What stands in place of a value in written data."""

    NOW = "the time of the request"
    DELETED = "no field"


NOW = Marker.NOW
DELETED = Marker.DELETED


@dataclass(frozen=True)
class Reference:
    """A document, by its path from the root of the database, as a value."""

    path: str


@dataclass(frozen=True)
class GeoPoint:
    latitude: float
    longitude: float


def encode(value: Any, documents: str) -> Any:  # noqa: C901, PLR0911 - one arm for each type of value, each a line
    """`value` as a Firestore `Value`; `documents` is `projects/P/databases/D/documents`, for references."""
    match value:
        case None:
            return Value(null_value=0)
        case bool():
            return Value(boolean_value=value)
        case int():
            return Value(integer_value=value)
        case float():
            return Value(double_value=value)
        case str():
            return Value(string_value=value)
        case bytes():
            return Value(bytes_value=value)
        case datetime():
            return _timestamp(value)
        case Reference():
            return Value(reference_value=f"{documents}/{value.path}")
        case GeoPoint():
            return Value(geo_point_value={"latitude": value.latitude, "longitude": value.longitude})
        case Mapping():
            encoded = Value(map_value={})
            for key, item in value.items():
                encoded.map_value.fields[key].CopyFrom(encode(item, documents))
            return encoded
        case Sequence():
            return Value(array_value={"values": [encode(item, documents) for item in value]})
    raise TypeError(f"Firestore has no value for {value!r} ({type(value).__name__}).")


def _timestamp(value: datetime) -> Any:
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    encoded = Value()
    encoded.timestamp_value.FromDatetime(value)
    return encoded


def decode(value: Any) -> Any:
    """The Python value of a Firestore `Value`; timestamps are aware, in UTC, to the microsecond."""
    kind = value.WhichOneof("value_type")
    if kind == "map_value":
        return {key: decode(item) for key, item in value.map_value.fields.items()}
    if kind == "array_value":
        return [decode(item) for item in value.array_value.values]
    if kind == "timestamp_value":
        return value.timestamp_value.ToDatetime(tzinfo=UTC)
    if kind == "reference_value":
        return Reference(value.reference_value.split("/documents/", 1)[-1])
    if kind == "geo_point_value":
        return GeoPoint(value.geo_point_value.latitude, value.geo_point_value.longitude)
    return None if kind in (None, "null_value") else getattr(value, kind)


def decode_document(found: Any) -> dict[str, Any]:
    """The fields of a Firestore `Document`."""
    return {key: decode(value) for key, value in found.fields.items()}
