from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from wattle.orders.states import Status
from wattle.schema import Body, PageParameters, PathId, Resource

ITEMS_MOST = 100
QUANTITY_MOST = 999

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class NewItem(Body):
    product_id: PathId
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MOST)]


class NewAddress(Body):
    """`country` is ISO 3166-1 alpha-2."""

    name: Line
    line1: Line
    line2: Line | None = None
    city: Line
    region: Line | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class CreateOrder(Body):
    """What is wanted. Prices are the shop's."""

    items: Annotated[list[NewItem], Field(min_length=1, max_length=ITEMS_MOST)]
    shipping_address: NewAddress | None = None
    note: Note | None = None

    @field_validator("items")
    @classmethod
    def _each_product_once(cls, items: list[NewItem]) -> list[NewItem]:
        ids = [item.product_id for item in items]
        if len(set(ids)) < len(ids):
            raise PydanticCustomError("duplicate_product", "name each product once, with its quantity")
        return items


class ListOrders(PageParameters):
    status: Status | None = None
    fields: Annotated[str | None, Field(description="Names, comma separated: only these are sent.")] = None


class ChangeStatus(Body):
    # JSON has no enums: strict mode would refuse every text.
    status: Annotated[Status, Field(strict=False)]
    reason: Note | None = None


class OrderItem(Resource):
    """Amounts are in minor units of the order's currency."""

    product_id: str
    name: str
    quantity: int
    unit_price: int
    line_total: int


class Address(Resource):
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str


class Order(Resource):
    """Amounts are in minor units of `currency` (ISO 4217)."""

    id: str
    number: str
    status: Status
    currency: str
    items: list[OrderItem]
    subtotal: int
    tax: int
    total: int
    shipping_address: Address | None
    note: str | None
    created_at: datetime
    updated_at: datetime
    version: int
