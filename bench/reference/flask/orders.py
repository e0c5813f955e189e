"""Orders and the home screen."""

import secrets
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any

from firebase_admin import firestore
from flask import Blueprint, g, jsonify, request
from google.cloud.firestore_v1 import FieldFilter, Increment
from schemas import CreateOrder, ListOrders

bp = Blueprint("orders", __name__)
TAX_RATE = 1000  # basis points
RECENT_ORDERS = 5
READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ORDER_FIELDS = (
    "number", "status", "currency", "items", "subtotal", "tax", "total",
    "shippingAddress", "note", "createdAt", "updatedAt", "deletedAt", "version",
)  # fmt: skip
PROFILE_FIELDS = (
    "displayName", "email", "phoneNumber", "photoUrl", "locale", "timezone",
    "notificationPreferences", "createdAt", "updatedAt", "version",
)  # fmt: skip
# The parts of a home screen are read side by side.
executor = ThreadPoolExecutor(max_workers=80)


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.errors = status, code, errors


def success(data: Any, pagination: dict[str, Any] | None = None, status: int = 200) -> Any:
    body = {"success": True, "data": data}
    if pagination is not None:
        body["pagination"] = pagination
    return _stamped(body), status


def failure(status: int, code: str, message: str, errors: Sequence[Any] = ()) -> Any:
    body: dict[str, Any] = {"success": False, "code": code, "message": message}
    if errors:
        body["errors"] = errors
    return _stamped(body), status


def _stamped(body: dict[str, Any]) -> Any:
    return jsonify(body | {"timestamp": datetime.now(UTC).isoformat(), "requestId": str(uuid.uuid4())})


@cache
def db() -> Any:
    return firestore.client()


@bp.get("/v1/orders")
def list_orders() -> Any:
    wanted = ListOrders.model_validate(request.args.to_dict())
    query = recent_orders(g.uid, wanted.status).offset((wanted.page - 1) * wanted.limit).limit(wanted.limit)
    names = wanted.fields.split(",") if wanted.fields else None
    if names:
        query = query.select([name for name in names if name != "id"])
    docs = query.get()
    data = [_order(doc.id, doc.to_dict(), names) for doc in docs]
    return success(data, {"page": wanted.page, "limit": wanted.limit, "hasNext": len(docs) == wanted.limit})


@bp.get("/v1/orders/<order_id>")
def read_order(order_id: str) -> Any:
    doc = db().collection("orders").document(order_id).get()
    if not doc.exists or doc.get("userId") != g.uid:
        raise ApiError(404, "ORDER_NOT_FOUND", f"There is no order {order_id}.")
    return success(_order(doc.id, doc.to_dict()))


@bp.post("/v1/orders")
def create_order() -> Any:
    wanted = CreateOrder.model_validate_json(request.get_data())
    order = db().collection("orders").document()
    data = _place(db().transaction(), order, g.uid, wanted)
    return success(_order(order.id, data), status=201)


@bp.get("/v1/screens/home")
def home() -> Any:
    user = db().collection("users").document(g.uid)
    unread = user.collection("notifications").where(filter=FieldFilter("readAt", "==", None)).count()
    profile = executor.submit(user.get)
    orders = executor.submit(recent_orders(g.uid).limit(RECENT_ORDERS).get)
    count = executor.submit(unread.get)
    return success(
        {
            "profile": {"status": "ok", "data": _profile(g.uid, profile.result().to_dict())},
            "recentOrders": {"status": "ok", "data": [_order(doc.id, doc.to_dict()) for doc in orders.result()]},
            "notifications": {"status": "ok", "data": {"unread": int(count.result()[0][0].value)}},
        }
    )


def recent_orders(uid: str, status: str | None = None) -> Any:
    query = db().collection("orders").where(filter=FieldFilter("userId", "==", uid))
    query = query.where(filter=FieldFilter("deletedAt", "==", None))
    if status:
        query = query.where(filter=FieldFilter("status", "==", status))
    return query.order_by("createdAt", direction="DESCENDING")


@firestore.transactional
def _place(transaction: Any, order: Any, uid: str, wanted: CreateOrder) -> dict[str, Any]:
    references = [db().collection("products").document(item.product_id) for item in wanted.items]
    found = {doc.id: doc.to_dict() for doc in transaction.get_all(references)}
    missing = [
        {"field": f"items[{n}].productId", "code": "PRODUCT_UNAVAILABLE", "message": f"{i.product_id} is not for sale."}
        for n, i in enumerate(wanted.items)
        if not (found[i.product_id] or {}).get("active")
    ]
    if missing:
        raise ApiError(422, "PRODUCT_UNAVAILABLE", "Some products are not sold any more.", missing)
    items = []
    for item in wanted.items:
        product = found[item.product_id]
        if product["stock"] is not None and product["stock"] < item.quantity:
            raise ApiError(409, "OUT_OF_STOCK", "There is not enough left.")
        price = product["unitPrice"]
        items.append(
            {
                "productId": item.product_id,
                "name": product["name"],
                "quantity": item.quantity,
                "unitPrice": price,
                "lineTotal": price * item.quantity,
            }
        )
    subtotal = sum(item["lineTotal"] for item in items)
    tax = (subtotal * TAX_RATE + 5000) // 10000
    now = datetime.now(UTC)
    data = {
        "userId": uid,
        "number": _order_number(),
        "status": "pending",
        "currency": found[wanted.items[0].product_id]["currency"],
        "items": items,
        "subtotal": subtotal,
        "tax": tax,
        "total": subtotal + tax,
        "shippingAddress": wanted.shipping_address and wanted.shipping_address.model_dump(by_alias=True),
        "note": wanted.note,
        "createdAt": now,
        "updatedAt": now,
        "deletedAt": None,
        "version": 1,
    }
    for reference, item in zip(references, wanted.items, strict=True):
        if found[item.product_id]["stock"] is not None:
            transaction.update(reference, {"stock": Increment(-item.quantity)})
    transaction.create(order, data)
    event = {"type": "created", "from": None, "to": "pending", "actor": "customer", "at": now, "reason": None}
    transaction.create(order.collection("events").document("1"), event)
    return data


def _order_number() -> str:
    code = "".join(secrets.choice(READABLE) for _ in range(8))
    return f"W-{code[:4]}-{code[4:]}"


def _order(order_id: str, data: dict[str, Any], names: Sequence[str] | None = None) -> dict[str, Any]:
    if names is None:
        return {"id": order_id, **{name: _plain(data[name]) for name in ORDER_FIELDS}}
    return {name: order_id if name == "id" else _plain(data.get(name)) for name in names}


def _profile(uid: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": uid, **{name: _plain(data[name]) for name in PROFILE_FIELDS}}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
