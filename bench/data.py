"""The data that all servers answer from: the same users, orders, products and messages, whoever is asked."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import httpx

from wattle.adapters.firestore import Firestore, Transaction, Update, Write
from wattle.kit.money import tax_on
from wattle.kit.retry import Deadline
from wattle.users.preferences import NotificationPreferences

PRODUCTS: Final[Sequence[tuple[str, str, int]]] = (
    ("flat-white", "Flat white", 520),
    ("long-black", "Long black", 480),
    ("lamington", "Lamington", 450),
    ("anzac-biscuit", "Anzac biscuit", 350),
    ("avocado-toast", "Avocado toast", 1650),
    ("keep-cup", "Keep cup", 3400),
)
# As the API stores them: whole, with every default.
PREFERENCES: Final = NotificationPreferences().model_dump(by_alias=True)
_CHUNK: Final = 200
_UNREAD_EVERY: Final = 3
_START: Final = datetime(2026, 11, 1, tzinfo=UTC)


def write(firestore: Firestore, writes: Iterator[Write]) -> None:
    while chunk := list(islice(writes, _CHUNK)):
        firestore.transaction(lambda transaction, part=chunk: _write_in(transaction, part), Deadline.after(60))


def clear(firestore_port: int, project_id: str) -> None:
    """Remove every document, by the emulators' own route."""
    url = f"http://127.0.0.1:{firestore_port}/emulator/v1/projects/{project_id}/databases/(default)/documents"
    httpx.delete(url, timeout=60).raise_for_status()


def _write_in(transaction: Transaction, writes: Sequence[Write]) -> None:
    transaction.write(*writes)


def user_ids(count: int) -> list[str]:
    return [f"user{number:04}" for number in range(count)]


def order_id(uid: str, number: int) -> str:
    """The id of a user's order; number 0 is his newest."""
    dice = random.Random(f"{uid}/{number}")  # noqa: S311 (the same ids in every run)
    return "".join(dice.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789", k=20))


def shop(stock: int | None = None) -> Iterator[Write]:
    for product_id, name, price in PRODUCTS:
        yield product(product_id, name, price, stock)


def product(product_id: str, name: str, price: int, stock: int | None) -> Write:
    data = {
        "name": name,
        "description": "Made here.",
        "unitPrice": price,
        "currency": "AUD",
        "active": True,
        "stock": stock,
        "createdAt": _START,
        "updatedAt": _START,
        "version": 1,
    }
    return Update(f"products/{product_id}", data, upsert=True)


def people(uids: Sequence[str], *, orders: int, messages: int = 10) -> Iterator[Write]:
    """Users with so many orders of three items each, and messages, of which a third is unread."""
    for uid in uids:
        yield Update(f"users/{uid}", _profile(uid), upsert=True)
        yield Update(f"users/{uid}/counters/inbox", {"unread": len(range(0, messages, _UNREAD_EVERY))}, upsert=True)
        for number in range(messages):
            yield Update(f"users/{uid}/notifications/n{number:03}", _message(number), upsert=True)
        for number in range(orders):
            yield Update(f"orders/{order_id(uid, number)}", _order(uid, number), upsert=True)


def _profile(uid: str) -> dict[str, Any]:
    return {
        "displayName": uid.title(),
        "email": f"{uid}@example.com",
        "phoneNumber": None,
        "photoUrl": None,
        "locale": "en-AU",
        "timezone": "Australia/Sydney",
        "notificationPreferences": PREFERENCES,
        "createdAt": _START,
        "updatedAt": _START,
        "deletedAt": None,
        "version": 1,
    }


def _message(number: int) -> dict[str, Any]:
    at = _START + timedelta(hours=number)
    return {
        "kind": "order",
        "title": "Your order is on its way",
        "body": "It was handed to the courier this morning.",
        "data": {"orderId": f"o{number}"},
        "createdAt": at,
        "readAt": None if number % _UNREAD_EVERY == 0 else at + timedelta(minutes=5),
        "expiresAt": at + timedelta(days=90),
    }


def _order(uid: str, number: int) -> dict[str, Any]:
    dice = random.Random(number)  # noqa: S311 (the same orders in every run)
    items = [
        {"productId": id_, "name": name, "quantity": 2, "unitPrice": price, "lineTotal": 2 * price}
        for id_, name, price in dice.sample(PRODUCTS, 3)
    ]
    subtotal = sum(item["lineTotal"] for item in items)
    # Whole milliseconds: JavaScript has no smaller ones.
    at = _START - timedelta(hours=number, milliseconds=dice.randrange(1000))
    return {
        "userId": uid,
        "number": f"W-{number:04}-{dice.randrange(10_000):04}",
        "status": "delivered",
        "currency": "AUD",
        "items": items,
        "subtotal": subtotal,
        "tax": tax_on(subtotal, 1000),
        "total": subtotal + tax_on(subtotal, 1000),
        "shippingAddress": {
            "name": uid.title(),
            "line1": "1 Martin Place",
            "line2": None,
            "city": "Sydney",
            "region": "NSW",
            "postalCode": "2000",
            "country": "AU",
        },
        "note": None,
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": None,
        "version": 4,
    }
