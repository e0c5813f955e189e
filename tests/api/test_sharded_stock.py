"""A product of which there is much counts its stock in shards (`catalog.stock`): no piece is lost or sold twice."""

import random
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tests.api.orders import code, place, placed, stock

from firesuite.faults import Failure, each
from wattle.adapters.firestore import Query
from wattle.catalog.stock import GATHERED_BELOW, SHARDED_FROM, SHARDS
from wattle.kit.retry import Deadline

PLENTY = 2 * SHARDED_FROM


def shards(backend, product):
    """What is in the product's shards."""
    found = backend.firestore.query(Query(f"products/{product}/stock"), Deadline.after(60))
    return [shard.data["left"] for shard in found]


def left(backend, product):
    return stock(backend, product) + sum(shards(backend, product))


def sell(users, product, orders, quantity=lambda: 1, threads=16):
    """So many orders at once: how many pieces were sold, and the answers to those who got none."""
    wanted = [quantity() for _ in range(orders)]
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda n: place(users[n % len(users)], (product, wanted[n])), range(orders)))
    sold = sum(amount for amount, answer in zip(wanted, answers, strict=True) if answer.status_code == 201)
    return sold, [answer for answer in answers if answer.status_code != 201]


@pytest.fixture(scope="module")
def users(backend):
    return [backend.user() for _ in range(8)]


@pytest.fixture
def product(backend):
    return backend.product(stock=PLENTY)


def test_buyers_at_once_take_from_shards(backend, users, product):
    sold, refused = sell(users, product, 60)
    assert (sold, refused) == (60, [])
    assert left(backend, product) == PLENTY - 60
    assert 1 < len(shards(backend, product)) <= SHARDS
    # What an app is shown is at most a tenth less than there is.
    assert 0.9 * (PLENTY - 60) <= stock(backend, product) < PLENTY - 60


def test_an_order_writes_a_shard_in_place_of_the_product(backend, users, product):
    for _ in range(4 * SHARDS):
        before = stock(backend, product)
        response = place(users[0], (product, 1))
        assert response.headers["X-Firestore-Reads"] == "3"  # whether the session counts, the product, a shard
        if stock(backend, product) == before:
            break
    assert response.headers["X-Firestore-Writes"] == "3"  # order, event, shard
    assert stock(backend, product) == before


@pytest.mark.parametrize("seed", range(3))
def test_sold_out_to_the_last_piece_and_no_further(backend, users, seed):
    dice = random.Random(seed)
    product = backend.product(stock=SHARDED_FROM + 20)
    sold, _ = sell(users, product, 60, quantity=lambda: dice.randrange(5, 15))
    assert left(backend, product) == SHARDED_FROM + 20 - sold
    while (rest := left(backend, product)) > 0:
        placed(users[0], (product, min(rest, 200)))
    refused = place(users[0], (product, 1))
    assert code(refused) == (409, "OUT_OF_STOCK")
    assert refused.json()["errors"][0]["message"] == "0 left."
    assert shards(backend, product) == []


def test_the_last_pieces_are_counted_in_one_place(backend, users, product):
    sell(users, product, 20)
    while stock(backend, product) > GATHERED_BELOW:
        placed(users[0], (product, 50))
    while shards(backend, product):
        placed(users[0], (product, 20))
    assert 0 < stock(backend, product) < SHARDED_FROM
    assert backend.document(f"products/{product}")["sharded"] is False


def test_who_wants_more_than_there_is_is_told_how_many_there_are(backend, users):
    product = backend.product(stock=SHARDED_FROM)
    sell(users, product, 10)
    refused = place(users[0], (product, 999))
    assert code(refused) == (409, "OUT_OF_STOCK")
    assert refused.json()["errors"][0]["message"] == f"{SHARDED_FROM - 10} left."
    assert left(backend, product) == SHARDED_FROM - 10


def test_an_order_of_several_such_products_takes_all_or_nothing(backend, users, product):
    other = backend.product(stock=SHARDED_FROM)
    placed(users[0], (product, 3), (other, 4))
    assert code(place(users[0], (product, 1), (other, 999))) == (409, "OUT_OF_STOCK")
    assert (left(backend, product), left(backend, other)) == (PLENTY - 3, SHARDED_FROM - 4)


def test_a_cancelled_order_gives_back(backend, users, product):
    order = placed(users[0], (product, 7))
    assert users[0].post(f"/v1/orders/{order['id']}/cancel").status_code == 200
    assert left(backend, product) == PLENTY


class TestAdministrators:
    def test_a_set_stock_is_all_there_is(self, backend, admin, users, product):
        sell(users, product, 10)
        changed = admin.patch(f"/v1/admin/products/{product}", {"stock": 700})
        assert changed.json()["data"]["stock"] == left(backend, product) == 700
        assert shards(backend, product) == []

    def test_a_delivery_adds_to_what_is_in_the_shards_as_well(self, backend, admin, users, product):
        sell(users, product, 10)
        changed = admin.patch(f"/v1/admin/products/{product}", {"stockChange": 5})
        assert changed.json()["data"]["stock"] == left(backend, product) == PLENTY - 10 + 5

    def test_another_change_leaves_the_shards_alone(self, backend, admin, users, product):
        sell(users, product, 10)
        before = shards(backend, product)
        assert admin.patch(f"/v1/admin/products/{product}", {"unitPrice": 1}).status_code == 200
        assert shards(backend, product) == before
        assert left(backend, product) == PLENTY - 10

    def test_the_stock_that_there_is_already_changes_nothing(self, backend, admin, users, product):
        sell(users, product, 10)
        changed = admin.patch(f"/v1/admin/products/{product}", {"stock": PLENTY - 10})
        assert changed.headers["X-Firestore-Writes"] == "0"
        assert left(backend, product) == PLENTY - 10

    def test_no_limit_any_more(self, backend, admin, users, product):
        sell(users, product, 10)
        assert admin.patch(f"/v1/admin/products/{product}", {"stock": None}).json()["data"]["stock"] is None
        assert shards(backend, product) == []
        placed(users[0], (product, 999))


def test_a_commit_of_unknown_outcome_takes_once(backend, instance, product):
    here = instance()
    here.faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
    placed(here.as_user(backend.user()), (product, 2))
    assert left(backend, product) == PLENTY - 2
