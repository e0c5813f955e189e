from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from wattle.schema import Body, PageParameters, Resource

# In minor units: ten million dollars. A hundred lines of 999 such items still fit into 64 bits.
PRICE_MOST: Final = 1_000_000_000
STOCK_MOST: Final = 1_000_000_000

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Price = Annotated[int, Field(ge=0, le=PRICE_MOST)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Stock = Annotated[int, Field(ge=0, le=STOCK_MOST)]


class ListAllProducts(PageParameters):
    """With `stockBelow` the list is ordered by stock, and those of unlimited stock are not in it; else by name."""

    active: bool | None = None
    stock_below: Annotated[int | None, Field(ge=0, le=STOCK_MOST)] = None


class NewProduct(Body):
    """`unitPrice` is in minor units of `currency` (ISO 4217); `stock` is null where there is no limit."""

    name: Name
    description: Description = ""
    unit_price: Price
    currency: Currency
    active: bool = True
    stock: Stock | None = None


class ProductChange(Body):
    """What shall change: at least one field.

    `stock` sets the stock (null: no limit). `stockChange` adds to it, or takes from it, whatever is sold meanwhile.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"unitPrice": 475, "stockChange": 12}]})

    name: Annotated[Name, Field(default_factory=str)]
    description: Annotated[Description, Field(default_factory=str)]
    unit_price: Annotated[Price, Field(default_factory=int)]
    currency: Annotated[Currency, Field(default_factory=str)]
    active: Annotated[bool, Field(default_factory=bool)]
    stock: Stock | None = None
    stock_change: Annotated[int, Field(ge=-STOCK_MOST, le=STOCK_MOST, default_factory=int)]

    @model_validator(mode="after")
    def _something_clear(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "send at least one field")
        if {"stock", "stock_change"} <= self.model_fields_set:
            raise PydanticCustomError("stock_twice", "send either stock or stockChange")
        return self


class Product(Resource):
    """`unit_price` is in minor units of `currency` (ISO 4217); `stock` is null where there is no limit.

    Where hundreds are left, `stock` may say up to a tenth less than there is.

    `version` counts what administrators changed, not what was sold.
    """

    id: str
    name: str
    description: str
    unit_price: int
    currency: str
    active: bool
    stock: int | None
    updated_at: datetime
    # Not stored in products that were made before changes were counted.
    version: int = 1
