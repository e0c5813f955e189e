"""Run by test_import_budget in an interpreter of its own: many threads use models that nobody has used before."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "functions"))

from wattle.orders.schemas import CreateOrder, Order

THREADS = 16
start = Barrier(THREADS)
sys.setswitchinterval(1e-6)  # so that the threads really take turns inside the building


def use(_number):
    start.wait()
    order = CreateOrder.model_validate_json('{"items": [{"productId": "p", "quantity": 1}]}')
    return order.items[0].quantity, len(Order.model_json_schema()["properties"])


with ThreadPoolExecutor(THREADS) as pool:
    assert len(set(pool.map(use, range(THREADS)))) == 1
