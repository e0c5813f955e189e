"""CPU of the API itself, for each request: every step of `api.BEFORE` and `api.AFTER`, without Firestore and network.

    .venv/bin/python bench/pipeline.py

Prints milliseconds of CPU, the best of five blocks. The bound is 0.5 ms for an answer without a list.
"""

import base64
import json
import logging
import platform
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions"))

from werkzeug.test import EnvironBuilder  # noqa: E402 (the path is set above)

from wattle import config  # noqa: E402
from wattle.api import ROUTES, create_api  # noqa: E402
from wattle.context import Context  # noqa: E402
from wattle.http.envelope import Page  # noqa: E402
from wattle.http.pipeline import Pipeline  # noqa: E402
from wattle.http.routing import Route  # noqa: E402
from wattle.kit import logging as json_logs  # noqa: E402
from wattle.kit.clock import utc_now  # noqa: E402
from wattle.orders.schemas import Order  # noqa: E402
from wattle.orders.states import Status  # noqa: E402
from wattle.services import Services, connect  # noqa: E402

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
BLOCKS, REQUESTS = 5, 1000

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


def cost(api: Pipeline, path: str, **headers: str) -> tuple[str, float]:
    """The status, and the milliseconds of CPU of one request."""
    environ = EnvironBuilder(path=path, headers=headers).get_environ()
    status = []
    best = float("inf")
    for _ in range(BLOCKS):
        started = time.process_time()
        for _ in range(REQUESTS):
            b"".join(api(dict(environ), lambda line, _headers: status.append(line)))
        best = min(best, (time.process_time() - started) / REQUESTS)
    return status[-1], best * 1000


def main() -> None:
    services = connect(config.read(SETTINGS), utc_now)
    # A list of revocations that was just read: the benchmark has no Firestore.
    services.sessions.check = lambda *_args, **_options: lambda: None
    json_logs.configure("INFO")
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        logging.getLogger("wattle").handlers[0].setStream(nowhere)
        routes = [*ROUTES, Route("GET", "/v1/bench/one", read_one), Route("GET", "/v1/bench/list", read_list)]
        api = create_api(lambda: services, routes)
        signed_in = {"Authorization": f"Bearer {unsigned_token()}", "X-App-Version": "1.2.3"}
        print(f"{platform.platform()}, Python {platform.python_version()}\n")
        print(f"{'ms of CPU a request':<44}{'status':>24}{'ms':>8}")
        for what, path, headers in (
            ("liveness, nobody signed in", "/health", {}),
            ("one order, signed in", "/v1/bench/one", signed_in),
            ("20 orders", "/v1/bench/list", signed_in),
            ("20 orders, gzip", "/v1/bench/list", {**signed_in, "Accept-Encoding": "gzip"}),
            ("no such route", "/v1/nothing", {}),
            ("no token", "/v1/bench/one", {}),
        ):
            status, milliseconds = cost(api, path, **headers)
            print(f"{what:<44}{status:>24}{milliseconds:>8.3f}")


if __name__ == "__main__":
    main()
