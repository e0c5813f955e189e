"""Mutation testing notices what a table leaves open, and says what is missing."""

import pytest

from firesuite.rules.mutants import OPERATORS, marks, mutants
from firesuite.rules.mutate import BaselineError, run
from firesuite.rules.parser import load, parse
from firesuite.rules.relevance import Relevance, checks
from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.tables import Row, Table, load_table, parse_row
from firesuite.rules.tokens import Caller

from .conftest import ROOT, wrapped


def changes(body):
    """(operator, the changed text) of every mutant."""
    source = Source(wrapped(body))
    found = mutants(parse(source), source)
    for mutant in found:
        parse(mutant.apply(source))
    return {
        (mutant.operator, " ".join(mutant.apply(source).text[len(wrapped("")) - 7 : -7].split())) for mutant in found
    }


def texts(operator, condition, method="get"):
    """The conditions that an operator makes of one."""
    before = f"match /a/{{b}} {{ allow {method}: if "
    return {
        text.split("if ", 1)[1].removesuffix("; }")
        for name, text in changes(f"{before}{condition}; }}")
        if name == operator
    }


class TestOperators:
    def test_conjuncts_are_left_out_one_by_one(self):
        assert texts("drop-conjunct", "a && (b || c) && d") == {"(b || c) && d", "a && d", "a && (b || c)"}
        assert texts("drop-disjunct", "a && (b || c) && d") == {"a && (b) && d", "a && (c) && d"}

    def test_comparisons_are_flipped_and_widened(self):
        assert texts("flip-comparison", "a == b") == {"a != b"}
        assert texts("flip-comparison", "a <= 3 || b in c") == {"a > 3 || b in c", "a <= 3 || !(b in c)"}
        assert texts("widen-comparison", "a < b && c <= 100") == {"a <= b && c <= 100", "a < b && c <= 101"}
        assert texts("widen-comparison", "a >= 1") == {"a >= 0"}

    def test_conditions_and_bounds_go(self):
        assert texts("condition-true", "a == b") == {"true"}
        assert texts("remove-bound", "a || request.query.limit <= 3", "list") == {"a || true"}
        assert texts("drop-negation", "!(a in b)") == {"(a in b)"}
        functions = changes("function f() { return a == b; } match /a/{b} { allow get: if f(); }")
        assert ("condition-true", "function f() { return true; } match /a/{b} { allow get: if f(); }") in functions

    def test_paths_and_methods_are_widened(self):
        found = changes("match /users/{id} { allow get: if a; match /notes/{n} { allow update: if b; } }")
        for text in (
            "match /{any}/{id} { allow get: if a; match /notes/{n} { allow update: if b; } }",
            "match /users/{id=**} { allow get: if a; match /notes/{n} { allow update: if b; } }",
            "match /users/{id} { allow get: if a; match /{any}/{n} { allow update: if b; } }",
            "match /users/{id} { allow get: if a; match /notes/{n=**} { allow update: if b; } }",
        ):
            assert ("widen-match", text) in found
        assert {text.partition("allow ")[2][:6] for name, text in found if name == "widen-method"} == {
            "read: ",
            "get: i",
        }

    def test_a_method_that_is_allowed_anyway_is_not_added(self):
        found = changes("match /a/{b} { allow get: if x; allow list: if x && y; }")
        widened = {text for name, text in found if name == "widen-method"}
        assert widened == {"match /a/{b} { allow read: if x; allow list: if x && y; }"}

    def test_owner_and_resource_are_swapped(self):
        assert texts("swap-owner", "request.auth.uid == resource.data.owner") == {
            "request.auth.uid == request.auth.uid"
        }
        assert texts("swap-owner", "isOwner(resource.data.owner)") == {"isOwner(request.auth.uid)"}
        assert texts("swap-resource", "resource.data.a == request.resource.data.b", "update") == {
            "request.resource.data.a == request.resource.data.b",
            "resource.data.a == resource.data.b",
        }
        assert not texts("swap-resource", "resource.data.a == 1", "get")

    def test_every_operator_is_made_by_some_rules(self):
        source = Source(
            wrapped("""
            match /a/{b} {
              allow list: if (x || request.query.limit <= 3) && !(y == request.auth.uid);
              allow update: if resource.data.a < 1;
            }
            """)
        )
        assert {mutant.operator for mutant in mutants(parse(source), source)} == set(OPERATORS)


class TestMarks:
    def of(self, body):
        source = Source(wrapped(body))
        tree = parse(source)
        return marks(tree, source), mutants(tree, source)

    def test_a_mark_covers_the_mutants_of_its_line(self):
        [mark], found = self.of(
            'match /a/{b} {\n// mutation: equivalent(drop-conjunct "x == 1"): y\n// implies it\n'
            "allow get: if x == 1\n&& y; }"
        )
        assert [mutant.original for mutant in found if mark.covers(mutant)] == ["x == 1"]
        assert mark.reason == "y"

    def test_at_the_end_of_a_line_and_for_all_of_it(self):
        [mark], found = self.of("match /a/{b} { allow get: if x && y; // mutation: equivalent(drop-conjunct): z\n}")
        assert sorted(mutant.original for mutant in found if mark.covers(mutant)) == ["x", "y"]

    @pytest.mark.parametrize(
        ("mark", "message"),
        [("equivalent(drop-it): why", "no operator"), ("equivalent(drop-conjunct)", "needs a reason")],
    )
    def test_a_mark_that_says_nothing_is_refused(self, mark, message):
        with pytest.raises(RulesSyntaxError, match=message):
            self.of(f"// mutation: {mark}\n")


RULES = Source(
    wrapped("""
    match /orders/{id} {
      allow get: if request.auth.uid == resource.data.userId;
      allow list: if request.auth.uid == resource.data.userId && request.query.limit <= 10;
    }
    """)
)
CALLERS = {"owner": Caller("alice"), "other": Caller("bob")}
DOCUMENTS = {"orders/o1": {"userId": "alice"}, "orders/o1/x/y": {"userId": "alice"}}
MINE = (("userId", "==", "alice"),)
COMPLETE = [
    Row("get", "orders/o1", ("owner",)),
    Row("get", "orders/o1/x/y"),
    Row("get", "elsewhere/o1"),
    Row("query", "orders", ("owner",), where=MINE, limit=10),
    Row("query", "orders", where=MINE, limit=11),
    Row("query", "orders", where=MINE),
]


def table(rows):
    return Table(CALLERS, {**DOCUMENTS, "elsewhere/o1": {"userId": "alice"}}, rows)


class TestRun:
    def test_a_complete_table_leaves_no_survivor(self):
        report = run(RULES, [table(COMPLETE)], workers=1)
        assert report.survivors == []
        assert report.passed
        assert "0 survived" in report.text()

    def test_a_survivor_is_told_with_its_line_its_change_and_a_case(self):
        rows = [row for row in COMPLETE if row.limit != 11]
        report = run(RULES, [table(rows)], workers=2)
        assert not report.passed
        assert [verdict.mutant.operator for verdict in report.survivors] == ["widen-comparison"]
        text = report.text()
        assert "survived: widen-comparison at firestore.rules:7" in text
        assert "- allow list: if request.auth.uid == resource.data.userId && request.query.limit <= 10;" in text
        assert "+ allow list: if request.auth.uid == resource.data.userId && request.query.limit <= 11;" in text
        assert "suggested case: list of /orders/{id} where request.query.limit is 11: expect deny" in text

    def test_a_mark_explains_a_survivor_and_is_itself_watched(self):
        marked = RULES.text.replace(
            "<= 10;", "<= 10; // mutation: equivalent(widen-comparison): nobody asks for eleven"
        )
        rows = [row for row in COMPLETE if row.limit != 11]
        assert run(Source(marked), [table(rows)], workers=1).passed
        report = run(Source(marked), [table(COMPLETE)], workers=1)
        assert not report.passed
        assert "remove the mark" in report.text()

    def test_tables_that_fail_on_the_rules_as_they_are(self):
        with pytest.raises(BaselineError, match=r"1 cells fail .*\n  get_orders/o1-owner-deny"):
            run(RULES, [table([Row("get", "orders/o1")])], workers=1)


class TestRelevance:
    @pytest.mark.parametrize(
        ("request_text", "expected"),
        [
            ("get a/1", [("get", "a/1")]),
            ("listen a/1", [("get", "a/1")]),
            ("listen a", [("list", "a/*")]),
            ("count a/1/b", [("list", "a/1/b/*")]),
            ("set a/1", [("create", "a/1"), ("update", "a/1")]),
            ("{query: a, group: true}", None),
            ("{query: a, where: [[__name__, ==, x]]}", None),
            ("{commit: [{delete: a/1}, {update: b/1}]}", [("delete", "a/1"), ("update", "b/1")]),
        ],
    )
    def test_what_rules_are_asked_for_a_request(self, request_text, expected):
        assert checks(parse_row(request_text)) == expected

    def test_only_requests_that_reach_what_changed(self):
        text = "function f() { return %s; } match /a/{b} { allow get: if f(); } match /c/{d} { allow get: if e; }"
        before, after = (Relevance(parse(wrapped(text % value))) for value in ("1", "2"))
        assert before.differs(after, Row("get", "a/1"))
        assert not before.differs(after, Row("get", "c/1"))
        assert not before.differs(after, Row("list", "a"))


def test_no_mutant_of_the_projects_rules_survives():
    """Every mistake in rules/firestore.rules is noticed by the matrix, or its mark says why no request could."""
    source, _ = load(ROOT / "rules" / "firestore.rules")
    report = run(source, [load_table(ROOT / "tests" / "rules" / "wattle.yaml")])
    assert report.passed, report.text()
    # Measured: 82 mutants in 10 s on two cores; the bound is 200 in two minutes.
    assert report.seconds < 0.6 * len(report.verdicts)
