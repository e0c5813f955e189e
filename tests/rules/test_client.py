"""Callers over real gRPC: every operation, and what it means to be allowed, denied, or neither."""

from datetime import UTC, datetime, timedelta

import pytest

from firesuite.rules.client import DeniedError, RequestFailedError
from firesuite.rules.queries import Query
from firesuite.rules.tokens import Caller
from firesuite.rules.values import DELETED, NOW, GeoPoint, Reference
from firesuite.rules.writes import create, delete, replace, update

OPEN = "match /{all=**} { allow read, write: if request.auth.uid == 'alice'; }"


@pytest.fixture
def opened(rules_of):
    return rules_of(OPEN)


@pytest.fixture
def alice(opened):
    return opened.as_user("alice")


class TestReads:
    def test_a_document_and_one_that_is_not_there(self, opened, alice):
        opened.seed({"a/1": {"n": 1}})
        assert opened.assert_allowed(alice.get("a/1")) == {"n": 1}
        assert opened.assert_allowed(alice.get("a/2")) is None
        opened.assert_denied(opened.as_user("bob").get("a/1"))
        opened.assert_denied(opened.anonymous().get("a/1"))

    def test_lists_queries_and_counts(self, opened, alice):
        opened.seed({f"a/{n}": {"n": n, "odd": n % 2 == 1, "maybe": None if n % 2 else 1} for n in range(5)})
        assert [name for name, _ in alice.list("a", 2).value] == ["0", "1"]
        assert [name for name, _ in alice.query(Query("a", [("odd", "==", True)], ["-n"])).value] == ["3", "1"]
        assert [name for name, _ in alice.query(Query("a", order_by=["n"], limit=2, offset=1)).value] == ["1", "2"]
        assert [name for name, _ in alice.query(Query("a", [("maybe", "==", None)])).value] == ["1", "3"]
        either = Query("a", any_of=[[("n", "==", 1)], [("n", ">", 3), ("odd", "==", False)]])
        assert [name for name, _ in alice.query(either).value] == ["1", "4"]
        assert alice.count("a").value == 5
        assert alice.count(Query("a", [("n", "in", [1, 2, 9])])).value == 2
        assert alice.query(Query("a", group=True)).allowed

    def test_an_operator_that_there_is_not(self, alice):
        with pytest.raises(ValueError, match="'=' is no operator"):
            alice.query(Query("a", [("n", "=", 1)]))


class TestWrites:
    def test_each_kind(self, opened, alice):
        opened.assert_allowed(alice.create("a/1", {"x": 1, "y": {"z": 1, "w": 2}}))
        opened.assert_allowed(alice.update("a/1", {"y.z": 3, "x": DELETED, "odd name": 4}))
        assert alice.get("a/1").value == {"y": {"z": 3, "w": 2}, "odd name": 4}
        opened.assert_allowed(alice.set("a/1", {"only": True}))
        assert alice.get("a/1").value == {"only": True}
        opened.assert_allowed(alice.delete("a/1"))
        assert alice.get("a/1").value is None

    def test_every_type_of_value_comes_back(self, alice):
        values = {
            "none": None,
            "yes": True,
            "int": -(2**63),
            "float": 1.5,
            "text": "é",
            "bytes": b"\x00\xff",
            "time": datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
            "list": [1, {"a": []}],
            "map": {"a": {"b.c": 1}},
            "reference": Reference("a/1"),
            "point": GeoPoint(1.0, -2.0),
        }
        assert alice.set("a/1", values).allowed
        assert alice.get("a/1").value == values
        with pytest.raises(TypeError, match="no value for"):
            alice.set("a/1", {"x": object()})

    def test_now_is_the_time_of_the_request(self, opened, alice):
        before = datetime.now(UTC) - timedelta(minutes=1)
        opened.assert_allowed(alice.create("a/1", {"at": NOW}))
        assert before < alice.get("a/1").value["at"] < before + timedelta(minutes=2)

    def test_what_is_neither_allowed_nor_denied_is_an_error(self, opened, alice):
        with pytest.raises(RequestFailedError, match="update a/1 as 'alice' failed with NOT_FOUND"):
            alice.update("a/1", {"x": 1})
        opened.seed({"a/1": {}})
        with pytest.raises(RequestFailedError, match="ALREADY_EXISTS"):
            alice.create("a/1", {})

    def test_a_commit_is_all_or_nothing(self, rules_of):
        rules = rules_of("match /open/{id} { allow write; } match /closed/{id} { allow get; }")
        someone = rules.as_user("alice")
        rules.assert_denied(someone.commit([create("open/1", {}), create("closed/1", {})]))
        assert rules.owner().get("open/1").value is None
        rules.assert_allowed(someone.commit([create("open/1", {}), replace("open/2", {"n": 1})]))
        rules.assert_allowed(someone.commit([update("open/2", {"n": 2}), delete("open/1")]))
        assert rules.owner().get("open/2").value == {"n": 2}

    def test_a_transaction_is_what_the_sdks_make_of_it(self, opened, alice):
        opened.seed({"a/counter": {"n": 1}})
        outcome = alice.transaction(
            ["a/counter"], lambda read: [update("a/counter", {"n": read["a/counter"]["n"] + 1})]
        )
        assert opened.assert_allowed(outcome) == {"a/counter": {"n": 1}}
        assert alice.get("a/counter").value == {"n": 2}

        def interfered(read):
            opened.seed({"a/counter": {"n": 10}})
            return [update("a/counter", {"n": read["a/counter"]["n"] + 1})]

        with pytest.raises(RequestFailedError, match=r"FAILED_PRECONDITION|ABORTED"):
            alice.transaction(["a/counter"], interfered)
        assert alice.get("a/counter").value == {"n": 10}
        opened.assert_denied(opened.as_user("bob").transaction(["a/counter"], lambda _: []))


class TestListeners:
    def test_sees_changes_of_a_query(self, opened, alice):
        opened.seed({"a/1": {"of": "alice"}, "a/2": {"of": "bob"}})
        listener = opened.assert_allowed(alice.listen(Query("a", [("of", "==", "alice")])))
        assert listener.documents == {"a/1": {"of": "alice"}}
        opened.seed({"a/2": {"of": "alice"}})
        listener.wait(lambda seen: len(seen.documents) == 2)
        _ = opened.owner().delete("a/1").value
        listener.wait(lambda seen: set(seen.documents) == {"a/2"})
        listener.close()

    def test_a_denied_one_says_so(self, opened):
        outcome = opened.anonymous().listen("a/1")
        assert not outcome.allowed
        with pytest.raises(DeniedError, match="listen a/1 as anonymous was denied"):
            _ = outcome.value


class TestCallers:
    def test_the_value_of_a_denied_request_cannot_be_used_unnoticed(self, opened):
        with pytest.raises(DeniedError, match="get a/1 as 'bob' was denied"):
            _ = opened.as_user("bob").get("a/1").value

    def test_claims_reach_the_rules(self, rules_of):
        rules = rules_of(
            "match /a/{id} { allow get: if request.auth.token.role in ['editor'] && request.auth.token.n > 2; }"
        )
        rules.assert_allowed(rules.as_user("x", role="editor", n=3).get("a/1"))
        rules.assert_denied(rules.as_user("x", role="editor", n=2).get("a/1"))
        rules.assert_denied(rules.as_user("x").get("a/1"))

    def test_a_token_of_another_project_is_nobodys(self, opened):
        outcome = opened.as_caller(Caller("alice", project="demo-elsewhere")).get("a/1")
        opened.assert_denied(outcome)
        assert "demo-elsewhere" in outcome.message

    def test_tests_are_isolated(self, opened, alice):
        assert alice.count("a").value == 0


def test_reset_sends_nothing_while_nothing_was_written(engine, rules_of, monkeypatch):
    from firesuite.rules.tables import Row, Table

    rules = rules_of(OPEN)
    table = Table({"alice": Caller("alice")}, {"a/1": {"n": 1}}, [Row("get", "a/1", ("alice",))])
    rules.reset(table)
    cleared = []
    monkeypatch.setattr(engine, "clear", lambda: cleared.append(1))
    rules.reset(table)
    assert not cleared
    _ = rules.as_user("alice").update("a/1", {"n": 2}).value
    rules.reset(table)
    assert cleared
    assert rules.as_user("alice").get("a/1").value == {"n": 1}
