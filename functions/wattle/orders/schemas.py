from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from wattle.orders.criteria import Criteria
from wattle.orders.states import Status
from wattle.schema import Body, Moment, MomentOrCursor, PageParameters, PathId, Resource

ITEMS_MOST: Final = 100
QUANTITY_MOST: Final = 999

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class NewItem(Body):
    product_id: PathId
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MOST)]


class NewAddress(Body):
    """`country` is ISO 3166-1 alpha-2."""

    name: Annotated[Line, Field(examples=["Alice Example"])]
    line1: Line
    line2: Line | None = None
    city: Line
    region: Line | None = None
    postal_code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


def _each_product_once(items: list[NewItem]) -> list[NewItem]:
    first: dict[str, int] = {}
    again = [n for n, item in enumerate(items) if first.setdefault(item.product_id, n) != n]
    if again:
        places = [(n, "productId") for n in again]
        raise PydanticCustomError("duplicate_product", "name each product once, with its quantity", {"places": places})
    return items


NewItems = Annotated[list[NewItem], Field(min_length=1, max_length=ITEMS_MOST), AfterValidator(_each_product_once)]


class CreateOrder(Body):
    """What is wanted. Prices are the shop's."""

    items: NewItems
    shipping_address: NewAddress | None = None
    note: Note | None = None


class AmendOrder(Body):
    """What shall change: at least one field. `null` empties the address or the note.

    `items` is the whole new list: a line whose quantity changed, or that is new, gets the present price; what is
    missing from it is taken out.
    """

    items: Annotated[NewItems, Field(default_factory=list)]
    shipping_address: NewAddress | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "send at least one of items, shippingAddress and note")
        return self

    def plain_fields(self) -> dict[str, Any]:
        """Those that were sent, but `items`, as they are stored."""
        sent: dict[str, Any] = {}
        if "note" in self.model_fields_set:
            sent["note"] = self.note
        if "shipping_address" in self.model_fields_set:
            address = self.shipping_address
            sent["shippingAddress"] = address.model_dump(by_alias=True) if address else None
        return sent


class CancelOrder(Body):
    reason: Note | None = None


class OrderFilter(PageParameters):
    """`createdFrom` is part of the range, `createdTo` is not."""

    status: Status | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None

    @property
    def criteria(self) -> Criteria:
        return Criteria(self.status, self.created_from, self.created_to)

    @field_validator("created_to")
    @classmethod
    def _after_from(cls, to: Moment | None, info: ValidationInfo) -> Moment | None:
        start = info.data.get("created_from")
        if to is not None and start is not None and to <= start:
            raise PydanticCustomError("empty_range", "createdTo must be later than createdFrom")
        return to


class ListOrders(OrderFilter):
    sort: Annotated[
        Literal["-createdAt", "createdAt"], Field(description="Newest first (`-createdAt`) or oldest first.")
    ] = "-createdAt"
    updated_after: Annotated[
        MomentOrCursor | None,
        Field(
            description="Delta sync: a time, or `nextCursor` of the sync before. Only `limit` and `fields` go with it."
        ),
    ] = None

    @property
    def criteria(self) -> Criteria:
        return super().criteria._replace(oldest_first=self.sort == "createdAt")

    @field_validator("updated_after")
    @classmethod
    def _alone(cls, after: datetime | str | None, info: ValidationInfo) -> datetime | str | None:
        # A filtered sync would never tell that an order has left the filter.
        if after is not None and any(
            value != cls.model_fields[name].default for name, value in info.data.items() if name not in _WITH_SYNC
        ):
            raise PydanticCustomError("not_with_others", "only limit and fields go with updatedAfter")
        return after


_WITH_SYNC: Final = {"limit", "fields"}


class ListEvents(PageParameters):
    """Nothing but where and how much."""


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
    name: Annotated[str, Field(examples=["Alice Example"])]
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
    deleted_at: Annotated[datetime | None, Field(description="When its owner took it off his list.")] = None
    version: int


class AdminOrder(Order):
    """`userId` is null where the customer's account was purged."""

    user_id: str | None


class OrderEvent(Resource):
    """One change of an order: the one that made its version `number`. `changed` names the fields of an amendment."""

    number: int
    type: Literal["created", "status", "amended", "removed"]
    from_status: Annotated[Status | None, Field(alias="from")]
    to_status: Annotated[Status, Field(alias="to")]
    changed: list[str]
    actor: Literal["customer", "shop"]
    reason: str | None
    at: datetime
