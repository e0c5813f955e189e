"""Demo data: users with known passwords, an administrator, products, and 300 orders to page through.

It writes to the emulators that the environment names and refuses to run without them. Running it again changes nothing
but the products' stock, which is set back.
"""

import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from firebase_admin import auth

from tools.demo import PASSWORD, USERS
from wattle.adapters.firebase import open_app
from wattle.adapters.firestore import Firestore, Transaction, Update, Write
from wattle.adapters.firestore.client import open_channel
from wattle.kit.money import tax_on
from wattle.kit.retry import Deadline
from wattle.orders.shards import shard_of
from wattle.orders.states import Status

ORDERS_OF_ALICE: Final = 280
ORDERS_OF_BOB: Final = 20
_TAX_RATE: Final = 1000
_CHUNK: Final = 100

PRODUCTS: Final[Sequence[tuple[str, str, str, int, int | None]]] = (
    ("flat-white", "Flat white", "Double ristretto, steamed milk.", 520, None),
    ("long-black", "Long black", "Hot water, double espresso on top.", 480, None),
    ("lamington", "Lamington", "Sponge, chocolate, coconut.", 450, 500),
    ("anzac-biscuit", "Anzac biscuit", "Oats, golden syrup, coconut.", 350, 500),
    ("sausage-roll", "Sausage roll", "Pork and fennel, flaky pastry.", 750, 200),
    ("avocado-toast", "Avocado toast", "Sourdough, feta, lemon.", 1650, None),
    ("banana-bread", "Banana bread", "Toasted, with butter.", 690, 100),
    ("finger-lime-tart", "Finger lime tart", "The last of the season.", 890, 3),
    ("wattleseed-beans", "Wattleseed coffee beans, 250 g", "Roasted in Marrickville.", 2200, 80),
    ("keep-cup", "Keep cup", "Glass and cork, 340 ml.", 3400, 40),
    ("gift-card", "Gift card", "Fifty dollars.", 5000, None),
)
"""Id, name, description, price in cents with no tax in it, stock."""


def run() -> int:
    """Seed the running emulators; 1 when the environment names none."""
    project, firestore_host = os.environ.get("GCLOUD_PROJECT"), os.environ.get("FIRESTORE_EMULATOR_HOST")
    if not (project and firestore_host and os.environ.get("FIREBASE_AUTH_EMULATOR_HOST")):
        print(
            "No emulators are named: run this by `make dev`, or by `firesuite exec -- python -m tools seed`.",
            file=sys.stderr,
        )
        return 1
    started = time.monotonic()
    app = open_app(project, emulated=True)
    for name, display_name, role in USERS:
        _seed_user(app, name, display_name, role)
    channel, credentials = open_channel(firestore_host)
    firestore = Firestore(project, channel, credentials)
    _write(firestore, "products", _products())
    _write(firestore, "profiles", _profiles())
    _write(firestore, "orders", _orders())
    print(f"seeded in {time.monotonic() - started:.1f} s", flush=True)
    return 0


def _seed_user(app: Any, name: str, display_name: str, role: str | None) -> None:
    try:
        auth.create_user(
            app=app,
            uid=name,
            email=f"{name}@example.com",
            password=PASSWORD,
            display_name=display_name,
            email_verified=True,
        )
    except auth.UidAlreadyExistsError:
        return
    if role:
        auth.set_custom_user_claims(name, {"role": role}, app=app)


def _write(firestore: Firestore, what: str, writes: Iterator[Write]) -> None:
    total = 0
    while chunk := list(islice(writes, _CHUNK)):
        # In a transaction, for its retries: each of these writes may be repeated.
        firestore.transaction(partial(_write_in, chunk), Deadline.after(30))
        total += len(chunk)
    print(f"  {what}: {total} documents", flush=True)


def _write_in(chunk: Sequence[Write], transaction: Transaction) -> None:
    transaction.write(*chunk)


def _products() -> Iterator[Write]:
    now = datetime.now(UTC)
    for product_id, name, description, price, stock in PRODUCTS:
        data = {
            "name": name,
            "description": description,
            "unitPrice": price,
            "currency": "AUD",
            "active": True,
            "stock": stock,
            "updatedAt": now,
            "version": 1,
        }
        yield Update(f"products/{product_id}", data, upsert=True)


def _profiles() -> Iterator[Write]:
    now = datetime.now(UTC)
    for name, display_name, _role in USERS:
        data = {
            "displayName": display_name,
            "email": f"{name}@example.com",
            "phoneNumber": None,
            "photoUrl": None,
            "locale": "en-AU",
            "timezone": "Australia/Sydney",
            "notificationPreferences": {"orders": True, "promotions": False, "account": True},
            "createdAt": now,
            "updatedAt": now,
            "deletedAt": None,
            "version": 1,
        }
        yield Update(f"users/{name}", data, upsert=True)


def _orders() -> Iterator[Write]:
    dice = random.Random(20_261_123)  # noqa: S311 (the same orders every time)
    moment = datetime.now(UTC)
    for uid, count in (("alice", ORDERS_OF_ALICE), ("bob", ORDERS_OF_BOB)):
        at = moment
        for _ in range(count):
            # Newest first, a few hours apart, so that page after page goes back in time.
            at -= timedelta(minutes=dice.randint(20, 600))
            yield from _order(dice, uid, at)


def _order(dice: random.Random, uid: str, at: datetime) -> Iterator[Write]:
    order_id = "".join(dice.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789", k=20))
    items = [_item(dice, product) for product in dice.sample(PRODUCTS, dice.randint(1, 4))]
    subtotal = sum(item["lineTotal"] for item in items)
    history = _history(dice)
    data = {
        "userId": uid,
        "number": f"W-{dice.randint(0, 9999):04}-{dice.randint(0, 9999):04}",
        "status": history[-1].value,
        "currency": "AUD",
        "items": items,
        "subtotal": subtotal,
        "tax": tax_on(subtotal, _TAX_RATE),
        "total": subtotal + tax_on(subtotal, _TAX_RATE),
        "shippingAddress": None,
        "note": None,
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": None,
        "version": len(history),
        "shard": shard_of(order_id),
        "changedAt": at,
    }
    yield Update(f"orders/{order_id}", data, upsert=True)
    before = None
    for number, status in enumerate(history, start=1):
        event: dict[str, Any] = {
            "number": number,
            "type": "created" if before is None else "status",
            "from": before and before.value,
            "to": status.value,
            "changed": [],
            "actor": "customer" if before is None else "shop",
            "at": at,
            "reason": None,
        }
        yield Update(f"orders/{order_id}/events/{number}", event, upsert=True)
        before = status


def _history(dice: random.Random) -> list[Status]:
    """How far an order came: every state on its way."""
    happy = [Status.PENDING, Status.CONFIRMED, Status.SHIPPED, Status.DELIVERED]
    if dice.random() < 0.1:
        return [Status.PENDING, Status.CANCELLED]
    return happy[: dice.choices((1, 2, 3, 4), weights=(2, 2, 2, 6))[0]]


def _item(dice: random.Random, product: tuple[str, str, str, int, int | None]) -> dict[str, Any]:
    product_id, name, _description, price, _stock = product
    quantity = dice.randint(1, 3)
    return {
        "productId": product_id,
        "name": name,
        "quantity": quantity,
        "unitPrice": price,
        "lineTotal": price * quantity,
    }
