"""A part of an ordered list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Some rows in order. After `end` the next slice starts; it is None where the list is known to end."""

    rows: Sequence[T]
    end: tuple[Any, ...] | None
