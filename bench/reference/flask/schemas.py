"""The bodies and parameters, as pydantic models."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic.alias_generators import to_camel

ProductId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Status = Literal["pending", "confirmed", "shipped", "delivered", "cancelled", "refunded"]

FIELDS = {
    "id", "number", "status", "currency", "items", "subtotal", "tax", "total",
    "shippingAddress", "note", "createdAt", "updatedAt", "deletedAt", "version",
}  # fmt: skip


class Item(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    product_id: ProductId
    quantity: Annotated[int, Field(ge=1, le=999)]


class Address(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    name: Line
    line1: Line
    line2: Line | None = None
    city: Line
    region: Line | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class CreateOrder(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    items: Annotated[list[Item], Field(min_length=1, max_length=100)]
    shipping_address: Address | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = None

    @field_validator("items")
    @classmethod
    def _each_product_once(cls, items: list[Item]) -> list[Item]:
        if len({item.product_id for item in items}) < len(items):
            raise ValueError("name each product once")
        return items


class ListOrders(BaseModel):
    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1)] = 1
    limit: Annotated[int, Field(ge=1)] = 20
    status: Status | None = None
    fields: str | None = None

    @field_validator("limit")
    @classmethod
    def _at_most(cls, limit: int) -> int:
        return min(limit, 100)

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: str | None) -> str | None:
        if fields is not None and not FIELDS.issuperset(fields.split(",")):
            raise ValueError("unknown field")
        return fields
