from wattle.catalog.schemas import ListAllProducts, ListProducts, NewProduct, Product, ProductChange
from wattle.context import Context
from wattle.http.envelope import Created, Page
from wattle.http.fields import select
from wattle.http.idempotency import REPLAYED
from wattle.http.pagination import page, position
from wattle.schema import PathId
from wattle.services import Services


def list_products(services: Services, ctx: Context, query: ListProducts) -> Page[Product]:
    """Products for sale, by name."""
    selection = select(query.fields, Product)
    after = position(query, ctx, "products", services.cursors)
    found = services.catalog.page(ctx, after, query.size, selection.projection if selection else None)
    total = services.catalog.count(ctx) if query.include_total else None
    return page(found, query, ctx, "products", services.cursors, total=total, selection=selection)


def read_product(services: Services, ctx: Context, product_id: PathId) -> Product:
    """A product that is for sale.

    Raises:
        ProductNotFound.
    """
    return services.catalog.get(ctx, product_id)


def list_all_products(services: Services, ctx: Context, query: ListAllProducts) -> Page[Product]:
    """All products by name, or with `stockBelow` those that run short, the scarcest first."""
    selection = select(query.fields, Product)
    after = position(query, ctx, "admin/products", services.cursors)
    fields = selection.projection if selection else None
    found = services.catalog.page(ctx, after, query.size, fields, active=query.active, stock_below=query.stock_below)
    total = None
    if query.include_total:
        total = services.catalog.count(ctx, active=query.active, stock_below=query.stock_below)
    return page(found, query, ctx, "admin/products", services.cursors, total=total, selection=selection)


def create_product(services: Services, ctx: Context, body: NewProduct) -> Created[Product]:
    """Add a product to the catalog."""
    created = services.catalog.create(ctx, body)
    return Created(created.product, headers=REPLAYED if created.replayed else {})


def change_product(services: Services, ctx: Context, product_id: PathId, body: ProductChange) -> Product:
    """Change a product. `If-Match` with the ETag of the product guards against changes of others.

    Raises:
        ProductNotFound, StockNotCounted, OutOfStock.
    """
    return services.catalog.change(ctx, product_id, body)
