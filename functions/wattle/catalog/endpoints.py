from wattle.catalog.schemas import ListProducts, Product
from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.fields import select
from wattle.http.pagination import page, position
from wattle.services import Services


def list_products(services: Services, ctx: Context, query: ListProducts) -> Page[Product]:
    """Products for sale, by name."""
    selection = select(query.fields, Product)
    after = position(query, ctx, "products", services.cursors)
    found = services.catalog.page(ctx, after, query.size, selection.projection if selection else None)
    total = services.catalog.count(ctx) if query.include_total else None
    return page(found, query, ctx, "products", services.cursors, total=total, selection=selection)
