"""Ten thousand buyers, a thousand items, one product: none is oversold, and every buyer gets an answer."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from bench.load import Request, Result, run
from bench.servers import WATTLE
from bench.stage import Report, Stage

from bench import data
from wattle.adapters.firestore import Firestore, Query
from wattle.kit.retry import Deadline

CLIENTS: Final = 80
PRODUCT: Final = "finger-lime-tart"
_BOUGHT, _SOLD_OUT, _BUSY = 201, 409, 503
_EXPLANATION: Final = f"""
Every buyer orders one piece of the same product, {CLIENTS} at a time, with an Idempotency-Key; whoever is told
503 with Retry-After tries again with the same key. One server process and the local Firestore, which is a
single process itself: what counts here is that the numbers are right, not how fast.
"""


def measure(report: Report, *, buyers: int, stock: int) -> None:
    with Stage() as stage:
        stage.reset(users=0, orders=0)
        data.write(stage.firestore, iter([data.product(PRODUCT, "Finger lime tart", 890, stock)]))
        tokens = [caller.token for caller in stage.callers(buyers, data.user_ids(buyers))]
        report.paragraph(_EXPLANATION)
        with stage.server(WATTLE) as server:
            waiting = [_order(token, uuid4().hex) for token in tokens]
            report.line()
            head = f"{'round':<8}{'asked':>8}{'bought':>8}{'sold out':>10}{'told to wait':>14}"
            report.line(f"{head}{'seconds':>9}{'p50':>9}{'p99':>9}")
            final: Counter[int] = Counter()
            for round_ in range(1, 100):
                result, waiting = _round(server.port, waiting)
                final.update({status: number for status, number in result.statuses.items() if status != _BUSY})
                report.line(
                    f"{round_:<8}{result.count:>8,}{result.statuses.get(_BOUGHT, 0):>8,}"
                    f"{result.statuses.get(_SOLD_OUT, 0):>10,}{result.statuses.get(_BUSY, 0):>14,}"
                    f"{result.seconds:>9.1f}{result.p50:>9.1f}{result.p99:>9.1f}"
                )
                if not waiting:
                    break
        sold = stage.firestore.count(Query("orders"), Deadline.after(60))
        remaining = _remaining(stage.firestore)
    report.line()
    answered = final[_BOUGHT] + final[_SOLD_OUT]
    report.line(f"{buyers:,} buyers, {answered:,} answered; {stock:,} in stock, {sold:,} orders, {remaining:,} left.")
    right = answered == buyers and sold == min(stock, buyers) == final[_BOUGHT] and remaining == stock - sold
    report.goal("none oversold, every buyer answered", [] if right else ["these numbers"])


def _remaining(firestore: Firestore) -> int:
    """What the product's document and its shards hold."""
    product = firestore.get(f"products/{PRODUCT}", Deadline.after(10))
    shards = firestore.query(Query(f"products/{PRODUCT}/stock"), Deadline.after(10))
    return (product.data["stock"] if product else 0) + sum(shard.data["left"] for shard in shards)


def _round(port: int, requests: Sequence[Request]) -> tuple[Result, list[Request]]:
    """Everybody asks once; those who are told to wait are returned."""
    result = run(port, requests, clients=CLIENTS, count=len(requests), also=(_SOLD_OUT, _BUSY))
    return result, [requests[number] for number in result.numbers.get(_BUSY, ())]


def _order(token: str, key: str) -> Request:
    body = {"items": [{"productId": PRODUCT, "quantity": 1}]}
    return Request("POST", "/v1/orders", token, body, {"Idempotency-Key": key}, expect=_BOUGHT)
