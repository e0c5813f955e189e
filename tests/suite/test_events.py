"""Firestore events, from the write to the Python function."""

import concurrent.futures
import uuid

from tests.suite.harness import eventually


def seen(suite, order):
    """What `onorder` saw of one order, in the order in which it ran."""
    documents = suite.database.collection("seen").where(filter=_field("order", order)).stream()
    return sorted((document.to_dict() for document in documents), key=lambda entry: entry["at"])


def _field(name, value):
    from google.cloud.firestore_v1.base_query import FieldFilter

    return FieldFilter(name, "==", value)


def new_id():
    return uuid.uuid4().hex


def test_each_write_arrives_once_in_order_with_before_and_after(suite):
    order = suite.database.document(f"orders/{new_id()}")
    order.set({"n": 1})
    order.update({"n": 2})
    order.update({"n": 3})
    order.delete()
    assert suite.control.await_idle()
    events = seen(suite, order.id)
    assert [(event["before"], event["after"]) for event in events] == [
        (None, {"n": 1}),
        ({"n": 1}, {"n": 2}),
        ({"n": 2}, {"n": 3}),
        ({"n": 3}, None),
    ]
    assert len({event["id"] for event in events}) == 4


def test_a_burst_on_one_document_stays_in_order(suite):
    order = suite.database.document(f"orders/{new_id()}")
    for n in range(30):
        order.set({"n": n})
    assert suite.control.await_idle()
    assert [event["after"]["n"] for event in seen(suite, order.id)] == list(range(30))


def test_writes_to_many_documents_at_once_all_arrive(suite):
    orders = [new_id() for _ in range(40)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda order: suite.database.document(f"orders/{order}").set({"n": 1}), orders))
    assert suite.control.await_idle()
    for order in orders:
        assert [event["after"] for event in seen(suite, order)] == [{"n": 1}]


def test_every_type_of_value_survives(suite):
    from google.cloud.firestore import GeoPoint

    values = {
        "null": None,
        "bool": True,
        "int": 2**53 + 1,
        "double": 0.1,
        "whole": 3.0,
        "string": "smørrebrød",
        "bytes": b"\x00\xff",
        "map": {"list": [1, "two", {"three": 3}]},
        "empty": {"list": [], "map": {}},
        "place": GeoPoint(-33.86, 151.21),
    }
    order = suite.database.document(f"orders/{new_id()}")
    order.set(values)
    assert suite.control.await_idle()
    [event] = seen(suite, order.id)
    assert event["after"] == values
    assert type(event["after"]["whole"]) is float


def test_wildcards_become_params_and_the_source_is_the_database(suite):
    parent = new_id()
    suite.database.document(f"orders/{parent}/lines/first").set({"sku": "a"})
    assert suite.control.await_idle()
    [line] = [
        document.to_dict()
        for document in suite.database.collection("lines").stream()
        if document.get("params")["id"] == parent
    ]
    assert line["params"] == {"kind": "orders", "id": parent, "lineId": "first"}
    assert line["data"] == {"sku": "a"}
    assert line["source"] == "//firestore.googleapis.com/projects/demo-sample/databases/(default)"


def test_a_document_id_beyond_ascii_arrives_as_production_sends_it(suite):
    """Raw UTF-8 in a header, which Python reads as Latin-1 (firebase-functions-python#220)."""
    suite.database.document(f"cafés/{new_id()}/lines/é").set({})
    assert suite.control.await_idle()
    params = [document.get("params") for document in suite.database.collection("lines").stream()]
    assert ("cafÃ©s", "Ã©") in [(found["kind"], found["lineId"]) for found in params]


def test_a_failing_function_is_called_again_until_it_succeeds(suite):
    """Twice 500, then 200: the retries wait for the clock, about 10 s and then 20 s."""
    name = new_id()
    suite.database.document(f"flaky/{name}").set({})
    attempts = suite.database.document(f"attempts/{name}")
    for count in (1, 2, 3):
        eventually(lambda wanted=count: (found := attempts.get()).exists and found.get("count") == wanted)
        eventually(lambda: suite.control.functions().running == 0)
        suite.control.advance_clock(300)
    assert suite.control.await_idle()
    assert suite.control.functions().retry_waiting == 0
    assert attempts.get().get("count") == 3


def test_a_function_without_retry_is_called_once(suite):
    before = suite.control.functions().dead_lettered
    name = new_id()
    suite.database.document(f"hopeless/{name}").set({})
    assert suite.control.await_idle()
    suite.control.advance_clock(3600)
    assert suite.control.await_idle()
    assert suite.database.document(f"attempts/{name}").get().get("count") == 1
    assert suite.control.functions().dead_lettered == before + 1
