from wattle.catalog.schemas import ListAllProducts, NewProduct, Product, ProductChange
from wattle.context import Context
from wattle.http.envelope import Created, Page
from wattle.http.fields import projection
from wattle.http.idempotency import REPLAYED
from wattle.http.pagination import page, position, with_total
from wattle.schema import PageParameters, PathId
from wattle.services import Services


def list_products(services: Services, ctx: Context, query: PageParameters) -> Page[Product]:
    """Products for sale, by name."""
    after = position(query, ctx, "products", services.cursors)
    fields = projection(query.fields, Product)
    found, total = with_total(
        query, lambda: services.catalog.page(ctx, after, query.size, fields), lambda: services.catalog.count(ctx)
    )
    return page(found, query, ctx, "products", services.cursors, total=total)


def read_product(services: Services, ctx: Context, product_id: PathId) -> Product:
    """A product that is for sale.

    Raises:
        ProductNotFound.
    """
    return services.catalog.get(ctx, product_id)


def list_all_products(services: Services, ctx: Context, query: ListAllProducts) -> Page[Product]:
    """All products by name, or with `stockBelow` those that run short, the scarcest first."""
    after = position(query, ctx, "admin/products", services.cursors)
    fields = projection(query.fields, Product)
    active, below = query.active, query.stock_below
    found, total = with_total(
        query,
        lambda: services.catalog.page(ctx, after, query.size, fields, active=active, stock_below=below),
        lambda: services.catalog.count(ctx, active=active, stock_below=below),
    )
    return page(found, query, ctx, "admin/products", services.cursors, total=total)


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
