"""Each finding on the smallest rules that have it, and none on rules that do not."""

import pytest

from firesuite.rules.lint import CODES, lint
from firesuite.rules.parser import load, parse
from firesuite.rules.source import RulesSyntaxError, Source

from .conftest import ROOT, wrapped


def findings(body, *, whole=False):
    source = Source(body if whole else wrapped(body))
    return {(finding.code, finding.line) for finding in lint(parse(source), source)}


def codes(body):
    return {code for code, _ in findings(body)}


LIST = "request.query.limit <= 100"
DATA = "function data() { return resource.data; }"
WHOLE = "function ok(data) { return data.keys().hasAll(['x']); }"
FIELDS = "request.resource.data.keys().hasOnly(['a'])"


class TestFindings:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("match /a/{b} { allow get: if false; }", "unreachable-allow"),
            ("match /a { allow get: if request.auth != null; }", "unreachable-allow"),
            ("match /a/{b} { allow get; allow get: if request.auth != null; }", "unreachable-allow"),
            (
                "match /{x=**} { allow get: if true; } match /a/{b} { allow get: if request.auth != null; }",
                "unreachable-allow",
            ),
            ("match /a/{b} { allow list: if request.auth != null; }", "unbounded-list"),
            ("match /a/{b} { allow read; }", "unbounded-list"),
            ("match /a/{b} { allow list: if request.query.offset <= 10; }", "unbounded-list"),
            (f"match /a/{{b}} {{ allow write: if {FIELDS}; }}", "allow-write"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && 'x' in resource.data; }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && !('x' in resource.data.keys()); }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && resource.data.get('x', 1) == 1; }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && resource.data.x.size() < 3; }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && resource.data.x + 1 == 3; }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && b == request.auth.uid; }}", "unprovable-query"),
            (f"match /a/{{b}} {{ allow list: if {LIST} && resource.id == request.auth.uid; }}", "unprovable-query"),
            (
                f"{DATA} {WHOLE} match /a/{{b}} {{ allow list: if {LIST} && ok(data()); }}",
                "unprovable-query",
            ),
            ("match /a/{b} { allow create: if request.auth != null; }", "unvalidated-fields"),
            ("match /a/{b} { allow update; }", "unvalidated-fields"),
            ("match /a/{b} { allow get: if nobody == 1; }", "unknown-name"),
            ("match /a/{b} { allow get: if nothing(); }", "unknown-name"),
            ("function f(x) { return x; } match /a/{b} { allow get: if f(); }", "unknown-name"),
            ("match /a/{b} { allow fetch: if request.auth != null; }", "unknown-method"),
            ("match /a/{b} { allow get: if request.auth != null }", "missing-semicolon"),
        ],
    )
    def test_each(self, body, code):
        assert (code, 4) in findings(body)

    def test_get_budget_counts_a_path_once_and_follows_functions(self):
        def reading(count, method="get"):
            asked = " && ".join(f"has('d{n}')" for n in range(count))
            return codes(
                "function has(id) { return exists(/databases/$(database)/documents/a/$(id))"
                " && get(/databases/$(database)/documents/a/$(id)).data.ok; }"
                f" match /a/{{b}} {{ allow {method}: if {asked} && {LIST}; }}"
            )

        assert "get-budget" not in reading(10)
        assert "get-budget" in reading(11)
        assert "get-budget" not in reading(20, "list")
        assert "get-budget" in reading(21, "list")

    def test_expression_budget(self):
        def big(calls):
            tens = " && ".join(["request.auth.token.n >= 1"] * 10)
            hundreds = " && ".join(["ten()"] * 10)
            asked = " && ".join(["hundred()"] * calls)
            functions = f"function ten() {{ return {tens}; }} function hundred() {{ return {hundreds}; }}"
            return codes(f"{functions} match /a/{{b}} {{ allow get: if {asked}; }}")

        assert "expression-budget" not in big(1)
        assert "expression-budget" in big(2)

    def test_a_path_that_is_not_firestores(self):
        found = findings(
            "service cloud.firestore { match /users/{id} { allow get: if request.auth != null; } }", whole=True
        )
        assert found == {("unreachable-allow", 1)}

    def test_every_code_is_tested(self):
        tested = {case[1] for mark in TestFindings.test_each.pytestmark for case in mark.args[1]}
        assert tested | {"get-budget", "expression-budget"} == set(CODES)


class TestNoFindings:
    @pytest.mark.parametrize(
        "condition",
        [
            "resource.data.owner == request.auth.uid",
            "request.auth.uid in resource.data.members",
            "resource.data.score > 4 && resource.data.state in ['a', 'b']",
            "resource.data.a.b['c'] != 'x' && !resource.data.hidden",
            "get(/databases/$(database)/documents/p/$(resource.data.parent)).data.owner == request.auth.uid",
            "mine(resource.data.owner) && data().kind == 'x'",
        ],
    )
    def test_what_a_query_can_prove(self, condition):
        functions = f"function mine(uid) {{ return request.auth.uid == uid; }} {DATA}"
        assert not codes(f"{functions} match /a/{{b}} {{ allow list: if {LIST} && {condition}; }}")

    def test_a_bound_and_fields_in_functions(self):
        body = f"""
        function bounded() {{ return {LIST}; }}
        function fields() {{ return {FIELDS}; }}
        match /a/{{b}} {{ allow read: if bounded(); allow create: if fields(); allow delete: if request.auth != null; }}
        """
        assert not codes(body)

    def test_the_projects_rules(self):
        source, tree = load(ROOT / "rules" / "firestore.rules")
        assert lint(tree, source) == []


class TestIgnore:
    def test_a_finding_is_taken_back_on_its_line_or_before_it(self):
        assert not codes("match /a/{b} { allow list; // lint: ignore(unbounded-list): never more than ten\n}")
        assert not codes("match /a/{b} {\n// lint: ignore(unbounded-list): never\n// more than ten\nallow list;\n}")
        assert codes("match /a/{b} {\n// lint: ignore(allow-write): why\nallow list;\n}") == {"unbounded-list"}

    def test_needs_a_reason_and_a_code_that_there_is(self):
        with pytest.raises(RulesSyntaxError, match="needs a reason"):
            codes("match /a/{b} { allow list; // lint: ignore(unbounded-list)\n}")
        with pytest.raises(RulesSyntaxError, match="'bounds' is no finding"):
            codes("match /a/{b} { allow list; // lint: ignore(bounds): why\n}")
