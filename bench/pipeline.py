"""CPU of the API itself for each request: every step of `api.BEFORE` and `api.AFTER`, without Firestore and network."""

import base64
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.stage import Report
from werkzeug.test import EnvironBuilder

from wattle import config
from wattle.api import ROUTES, create_api
from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.pipeline import Pipeline
from wattle.http.routing import Route
from wattle.kit import logging as json_logs
from wattle.kit.clock import utc_now
from wattle.orders.schemas import Order
from wattle.orders.states import Status
from wattle.services import Services, connect

SETTINGS = {
    "GCLOUD_PROJECT": "demo-bench",
    "WEB_API_KEY": "k",
    "SIGNING_SECRET": "of the benchmark, 32 characters at least",
    "RATE_LIMIT_SCALE": "1000",
    # Nobody listens there, and nothing is called.
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:1",
    "FCM_EMULATOR_HOST": "127.0.0.1:1",
}
BLOCKS: Final = 5
MOST: Final = 0.5
_EXPLANATION: Final = f"""
Milliseconds of CPU for each request in this process, the best of {BLOCKS} blocks, with a token that was
verified before.
"""

ITEM = {"product_id": "p", "name": "Flat white", "quantity": 1, "unit_price": 500, "line_total": 500}
ORDER = Order.model_construct(
    id="a" * 20,
    number="W-0000-0000",
    status=Status.PENDING,
    currency="AUD",
    items=[ITEM, ITEM],
    subtotal=1000,
    tax=100,
    total=1100,
    shipping_address=None,
    note=None,
    created_at=utc_now(),
    updated_at=utc_now(),
    version=1,
)


def read_one(services: Services, ctx: Context) -> Order:  # noqa: ARG001 (an endpoint)
    return ORDER


def read_list(services: Services, ctx: Context) -> Page[Order]:  # noqa: ARG001 (an endpoint)
    return Page([ORDER] * 20, 20, "c" * 60, has_next=True)


def unsigned_token() -> str:
    now = int(time.time())
    project = SETTINGS["GCLOUD_PROJECT"]
    times = {"exp": now + 3600, "iat": now, "auth_time": now}
    claims = {"aud": project, "iss": f"https://securetoken.google.com/{project}", "sub": "u1", **times}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims))
    return b".".join((*parts, b"")).decode()


def measure(report: Report, *, requests: int) -> None:
    """`requests` in each block."""
    services = connect(config.read(SETTINGS), utc_now)
    # A list of revocations that was just read: the benchmark has no Firestore.
    services.sessions.check = lambda *_args, **_options: lambda: None  # type: ignore[method-assign]
    report.paragraph(_EXPLANATION)
    report.line()
    logger = logging.getLogger("wattle")
    json_logs.configure("INFO")
    (handler,) = logger.handlers
    try:
        with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
            handler.setStream(nowhere)  # type: ignore[attr-defined]
            _table(report, services, requests)
    finally:
        logger.removeHandler(handler)


def _table(report: Report, services: Services, requests: int) -> None:
    routes = [*ROUTES, Route("GET", "/v1/bench/one", read_one), Route("GET", "/v1/bench/list", read_list)]
    api = create_api(lambda: services, routes)
    signed_in = {"Authorization": f"Bearer {unsigned_token()}", "X-App-Version": "1.2.3"}
    report.line(f"{'':<44}{'status':>24}{'ms':>8}")
    above = []
    for what, path, headers in (
        ("liveness, nobody signed in", "/health", {}),
        ("one order, signed in", "/v1/bench/one", signed_in),
        ("20 orders", "/v1/bench/list", signed_in),
        ("20 orders, gzip", "/v1/bench/list", {**signed_in, "Accept-Encoding": "gzip"}),
        ("no such route", "/v1/nothing", {}),
        ("no token", "/v1/bench/one", {}),
    ):
        status, milliseconds = _cost(api, path, headers, requests)
        report.line(f"{what:<44}{status:>24}{milliseconds:>8.3f}")
        if path != "/v1/bench/list" and milliseconds > MOST:
            above.append(f"{what}, {milliseconds:.3f} ms")
    report.line()
    report.goal(f"an answer without a list within {MOST:g} ms", above)


def _cost(api: Pipeline, path: str, headers: Mapping[str, str], requests: int) -> tuple[str, float]:
    """The status, and the milliseconds of CPU of one request."""
    environ = EnvironBuilder(path=path, headers=dict(headers)).get_environ()
    status: list[str] = []
    best = float("inf")
    for _ in range(BLOCKS):
        started = time.process_time()
        for _ in range(requests):
            b"".join(api(dict(environ), lambda line, _headers: status.append(line)))
        best = min(best, (time.process_time() - started) / requests)
    return status[-1], best * 1000
