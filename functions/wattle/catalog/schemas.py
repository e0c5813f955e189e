from datetime import datetime
from typing import Annotated

from pydantic import Field

from wattle.schema import PageParameters, Resource


class ListProducts(PageParameters):
    fields: Annotated[str | None, Field(description="Names, comma separated: only these are sent.")] = None


class Product(Resource):
    """`unit_price` is in minor units of `currency` (ISO 4217); `stock` is null where there is no limit."""

    id: str
    name: str
    description: str
    unit_price: int
    currency: str
    stock: int | None
    updated_at: datetime
