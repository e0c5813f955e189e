"""What the tests of orders share: placing one, and reading an error."""

ADDRESS = {"name": "A B", "line1": "1 George St", "city": "Sydney", "postalCode": "2000", "country": "AU"}


def lines(*items):
    return [{"productId": product_id, "quantity": quantity} for product_id, quantity in items]


def place(user, *items, **options):
    return user.post("/v1/orders", {"items": lines(*items)} | options.pop("body", {}), **options)


def placed(user, *items, **options):
    """A new order as it was answered."""
    response = place(user, *items, **options)
    assert response.status_code == 201, response.text
    return response.json()["data"]


def code(response):
    body = response.json()
    assert body["success"] is False
    assert body["requestId"] == response.headers["X-Request-Id"]
    return response.status_code, body["code"]


def move(admin, order, *statuses):
    """Move an order through these states, one after the other."""
    for status in statuses:
        response = admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": status})
        assert response.status_code == 200, response.text
    return response.json()["data"]


def stock(backend, product):
    return backend.document(f"products/{product}")["stock"]
