"""A failed assertion names the rule that decided, with line and values; where an engine cannot tell, it says that."""

import pytest

from firesuite.rules.engine import Engine
from firesuite.rules.queries import Query
from firesuite.rules.source import Source
from firesuite.rules.testing import Rules
from firesuite.rules.values import NOW

ORDER = """
    match /orders/{id} {
      function isOwner(uid) { return request.auth.uid == uid; }
      allow get: if isOwner(resource.data.userId) || request.auth.token.role == 'admin';
      allow list: if isOwner(resource.data.userId)
        && request.query.limit <= 100;
      allow update: if request.resource.data.total > resource.data.total && !('note' in request.resource.data);
    }
"""


@pytest.fixture
def orders(rules_of):
    rules = rules_of(ORDER)
    rules.seed({"orders/o1": {"userId": "alice", "total": 5}})
    return rules


def failure(check, outcome):
    with pytest.raises(AssertionError) as caught:
        check(outcome)
    return str(caught.value)


class TestDenied:
    def test_names_rule_line_and_values_and_leaves_out_what_held(self, orders):
        asked = Query("orders", [("userId", "==", "alice")], limit=101)
        text = failure(orders.assert_allowed, orders.as_user("alice").query(asked))
        assert "query orders where userId == 'alice', limit 101 as 'alice': denied" in text
        assert "firestore.rules:8 in match /databases/{database}/documents/orders/{id}: allow list" in text
        assert "line 9: request.query.limit <= 100  ->  false" in text
        assert "request.query.limit = 101" in text
        assert "isOwner(resource.data.userId)  ->" not in text

    def test_follows_functions_and_errors(self, orders):
        text = failure(orders.assert_allowed, orders.as_user("bob").get("orders/o1"))
        assert "line 6: request.auth.uid == uid  ->  false" in text
        assert "uid = 'alice'" in text
        assert "request.auth.token.role == 'admin'  ->  error: " in text

    def test_a_write(self, orders):
        text = failure(orders.assert_allowed, orders.as_user("x").update("orders/o1", {"total": 6, "note": NOW}))
        assert "!('note' in request.resource.data)  ->  false" in text
        assert "total = " not in text

    def test_no_rule_for_it(self, orders):
        assert "no rule is for delete of orders/o1" in failure(
            orders.assert_allowed, orders.as_user("x").delete("orders/o1")
        )
        asked = Query("orders", group=True, limit=1)
        assert "no rule is for list of */*/orders/*" in failure(orders.assert_allowed, orders.as_user("x").query(asked))


def test_an_allowed_request_names_the_rule_that_let_it_through(orders):
    text = failure(orders.assert_denied, orders.as_user("root", role="admin").get("orders/o1"))
    assert "Expected denied, was allowed: get orders/o1 as 'root' with {'role': 'admin'}" in text
    assert "request.auth.token.role == 'admin'  ->  true" in text
    assert "line 6: request.auth.uid == uid  ->  false" in text


def test_of_a_commit_the_write_that_was_denied(orders):
    from firesuite.rules.writes import create, update

    text = failure(
        orders.assert_allowed,
        orders.as_user("x").commit([update("orders/o1", {"total": 6}), create("orders/o2", {})]),
    )
    assert "no rule is for create of orders/o2" in text


class TestWithoutTrace:
    """An engine like Google's emulator, whose only answers are verdict, message and coverage."""

    @pytest.fixture
    def plain(self, engine, orders):
        plain = Engine(engine.address, engine.project)
        yield Rules(plain, orders.source)
        plain.close()

    def test_says_which_rules_were_asked_and_that_it_cannot_say_more(self, plain):
        text = failure(plain.assert_allowed, plain.as_user("bob").get("orders/o1"))
        assert "firestore.rules:7 in match" in text
        assert "the engine says: " in text
        assert "this engine does not tell which expression decided" in text

    def test_lists_and_commits(self, plain):
        text = failure(plain.assert_allowed, plain.as_user("bob").query(Query("orders", limit=1)))
        assert "firestore.rules:8 in match" in text
        text = failure(plain.assert_allowed, plain.as_user("bob").set("orders/o9", {}))
        assert "this engine does not tell" in text

    def test_verdicts_isolation_and_coverage_work_the_same(self, plain):
        plain.seed({"orders/o1": {"userId": "alice"}})
        plain.assert_allowed(plain.as_user("alice").get("orders/o1"))
        plain.reset()
        assert plain.owner().get("orders/o1").value is None
        assert plain.engine.coverage()


def test_positions_hold_behind_characters_of_several_bytes(rules_of):
    rules = rules_of("match /a/{id} { allow get: if 'ü€😀' == request.auth.uid && request.auth.token.x == 1; }")
    assert isinstance(rules.source, Source)
    text = failure(rules.assert_allowed, rules.as_user("ü€😀", x=2).get("a/1"))
    assert "request.auth.token.x == 1  ->  false" in text
    assert "request.auth.token.x = 2" in text
