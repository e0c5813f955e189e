"""The parser takes what Firestore takes, says where it does not, and no file takes it down."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firesuite.rules.parser import load, parse, parse_expression
from firesuite.rules.source import MAX_SOURCE_BYTES, RulesSyntaxError
from firesuite.rules.syntax import Binary, Call, Member, Unary, scopes
from firesuite.rules.unparse import unparse, unparse_expression

from .conftest import ROOT, wrapped


def refusal(text):
    with pytest.raises(RulesSyntaxError) as caught:
        parse(text)
    return caught.value


class TestTree:
    @pytest.mark.parametrize(
        ("text", "grouped"),
        [
            ("a || b && c", "a || (b && c)"),
            ("a && b == c", "a && (b == c)"),
            ("a == b in c", "a == (b in c)"),
            ("a in b < c", "a in (b < c)"),
            ("a < b + c", "a < (b + c)"),
            ("a + b * c", "a + (b * c)"),
            ("a * -b", "a * (-b)"),
            ("!a.b(c)[d]", "!(a.b(c)[d])"),
            ("a - b - c", "(a - b) - c"),
            ("a / b % c", "(a / b) % c"),
            ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
            ("a || b ? c : d", "(a || b) ? c : d"),
            ("a is string && b", "(a is string) && b"),
            ("1 - -2", "1 - (-2)"),
        ],
    )
    def test_operators_bind_as_googles_reference_says(self, text, grouped):
        assert parse_expression(text) == parse_expression(grouped)

    def test_a_slash_divides_or_starts_a_path(self):
        tree = parse_expression("a / b == get(/c/$(d / e)/f).data.g / 2")
        assert isinstance(tree, Binary)
        assert unparse_expression(tree) == "a / b == get(/c/$(d / e)/f).data.g / 2"

    def test_extents_are_those_of_the_text(self):
        text = "x == ( a.b ( 'é' ) && ! c )"
        tree = parse_expression(text)
        extents = {type(node): text[node.start : node.end] for node in tree.walk()}
        assert extents[Call] == "a.b ( 'é' )"
        assert extents[Unary] == "! c"
        assert extents[Member] == "a.b"
        assert text[tree.right.outer_start : tree.right.outer_end] == "( a.b ( 'é' ) && ! c )"

    def test_scopes_see_functions_of_the_blocks_around_them(self):
        tree = parse(
            wrapped("""
            function outer() { return true; }
            match /a/{b} { function inner() { return outer(); } match /c/{d} { allow get: if inner(); } }
            """)
        )
        innermost = list(scopes(tree))[-1]
        assert set(innermost.functions) == {"outer", "inner"}
        assert [segment.text for segment in innermost.segments[3:]] == ["a", "b", "c", "d"]

    def test_the_projects_rules_survive_the_round_trip(self):
        _, tree = load(ROOT / "rules" / "firestore.rules")
        assert parse(unparse(tree)) == tree

    def test_comments_are_kept_beside_the_tree(self):
        tree = parse("// one\n/* two */" + wrapped("match /a/{b} { allow get: if a /* three */ && b; }"))
        assert [comment.text for comment in tree.comments] == ["// one", "/* two */", "/* three */"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "line", "column", "reason"),
        [
            ("match /a/{b} {\n  allow get: if ;\n}", 5, 17, "Missing conditional expression"),
            ("match a/{b} { }", 4, 7, "starts with '/'"),
            ("match /a/{b} {", 7, 1, "ends inside of a block"),
            ("match /a/$(b) { }", 4, 11, "Expected '{', found '('"),
            ("match /a//b { }", 4, 10, "path segment is missing"),
            ("match /a/{b} { allow get: if 9223372036854775809; }", 4, 30, "64 bits"),
            ("match /{a=**}/{b=**} { }", 4, 14, "Only one glob"),
            ("function f() { let a = 1; let a = 2; return a; }", 4, 31, "already bound"),
            ("function f(a, a) { return a; }", 4, 15, "already bound"),
            ("function f() { return f(); }", 4, 10, "Recursive call"),
            ("function f() { return g(); }\nfunction g() { return f(); }", 5, 10, "Recursive call"),
            ("function f() { return 1; }\nfunction f() { return 1; }", 5, 10, "already declared"),
            ("match /a/{math} { }", 4, 11, "math is a package"),
            ("match /a/{b} { allow get: if 'x; }", 4, 30, "does not end on its line"),
            ("match /a/{b} { allow get: if 1.x; }", 4, 31, "starts decimals"),
            ("match /a/{b} { allow get: if a is bogus; }", 4, 35, "is no type"),
            ("match /a/{b} { allow get: if a == == b; }", 4, 35, "Expected an expression, found '=='"),
            ("match /a/{b} { allow get: if f(a,); }", 4, 34, "Expected an expression, found ')'"),
            ("/* never", 4, 1, "never ends"),
            ("match /a/{b} { allow get if true; }", 4, 26, "found 'if'"),
            ("match /a/{b} { allow get: if a @ b; }", 4, 32, "Unexpected character '@'"),
        ],
    )
    def test_says_where_and_why(self, body, line, column, reason):
        error = refusal(wrapped(body))
        assert (error.line, error.column) == (line, column)
        assert reason in str(error)

    @pytest.mark.parametrize(
        "text",
        ["", "// only a comment", "broken", "rules_version = '3';", "import 'x';", "service a.b { allow get; }"],
    )
    def test_what_is_no_ruleset(self, text):
        assert refusal(text).line == 1

    def test_limits_that_production_was_measured_to_have(self):
        chain = "".join(f"function f{n}() {{ return f{n + 1}(); }}\n" for n in range(20))
        parse(wrapped(chain + "function f20() { return true; }"))
        assert "call depth of 20" in str(
            refusal(wrapped(f"{chain}function f20() {{ return g(); }} function g() {{ return 1; }}"))
        )
        lets = "".join(f"let a{n} = {n}; " for n in range(12))
        assert "at most 11 bindings" in str(refusal(wrapped(f"function f() {{ {lets} return 1; }}")))
        assert "at most 7 parameters" in str(refusal(wrapped("function f(a, b, c, d, e, f, g, h) { return 1; }")))
        parse_expression(" && ".join(["a.b.c == 1"] * 98))
        with pytest.raises(RulesSyntaxError, match="too complex"):
            parse_expression(" && ".join(["a.b.c == 1"] * 99))
        nested = "match /a/{b} {" * 10
        assert "nest at most 10 deep" in str(refusal(wrapped(nested + "}" * 10)))

    def test_a_file_that_is_no_text(self, tmp_path):
        path = tmp_path / "firestore.rules"
        path.write_bytes(b"service \xff")
        with pytest.raises(RulesSyntaxError, match="not UTF-8"):
            load(path)


HOSTILE = {
    "parentheses": "(" * 100_000,
    "closed parentheses": "(" * 5_000 + "1" + ")" * 5_000,
    "brackets": "[" * 100_000,
    "maps": "{a:" * 50_000,
    "negations": "!" * 100_000 + "a",
    "minuses": "-" * 100_000 + "1",
    "calls": "f(" * 50_000,
    "paths in paths": "/$(" * 50_000,
    "conditionals": "a ? " * 50_000,
    "members": "a" + ".b" * 100_000,
    "indexes": "a" + "[0]" * 50_000,
    "one long chain": "a || " * 40_000 + "a",
    "one long sum": "1 + " * 50_000 + "1",
    "a list of lists": "[[1, 2], " * 10_000,
    "an endless string": "'" + "a" * 200_000,
    "an endless path": "/a" * 100_000 + "/",
    "a comment without end": "/*" + "*" * 200_000,
    "digits": "9" * 200_000,
    "nothing but spaces": " " * 200_000,
    "control characters": "\x00\x1b\x7f" * 1_000,
    "not characters": "\ud800",
}


class TestHostileFiles:
    @pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
    def test_an_expression_ends_with_a_message(self, expression):
        body = f"match /a/{{b}} {{ allow get: if {expression}; }}"
        assert len(str(refusal(wrapped(body)))) < 500

    @pytest.mark.parametrize(
        "text", ["match /a/{b} { " * 20_000, "function f() { return g(); " * 9_000, "allow " * 40_000, "}" * 200_000]
    )
    def test_blocks_end_with_a_message(self, text):
        refusal(f"service cloud.firestore {{ {text}")

    def test_a_megabyte_is_refused_at_once(self):
        assert "256 KB" in str(refusal(wrapped("//" + "x" * 1_048_576)))
        assert "256 KB" in str(refusal("é" * (MAX_SOURCE_BYTES // 2 + 1)))

    def test_ten_thousand_functions_that_call_each_other(self):
        functions = "".join(f"function f{n}() {{ return f{(n + 1) % 7000}(); }}" for n in range(7000))
        assert "Recursive call" in str(refusal(wrapped(functions)))

    def test_every_cut_of_a_good_file_ends_with_a_message(self):
        text = (ROOT / "rules" / "firestore.rules").read_text()
        good = text.rindex("}")
        for end in range(0, good, 7):
            refusal(text[:end])


names = st.sampled_from(["a", "b", "request", "resource", "x1", "_y"])
literals = st.sampled_from(["1", "2.5", "true", "false", "null", "'s'", '"t"', "'it\\'s'", "'é'"])
operators = st.sampled_from(["||", "&&", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"])


def grow(inner):
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"),
        st.tuples(inner, operators, inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]}) ? {parts[1]} : {parts[2]}"),
        inner.map(lambda text: f"!({text})"),
        inner.map(lambda text: f"- {text}"),
        inner.map(lambda text: f"({text}) is string"),
        st.tuples(inner, names).map(lambda parts: f"({parts[0]}).{parts[1]}"),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]})[{parts[1]}]"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]})[({parts[1]}):{parts[2]}]"),
        st.tuples(names, st.lists(inner, max_size=3)).map(lambda parts: f"{parts[0]}({', '.join(parts[1])})"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(names, inner), max_size=2).map(
            lambda items: "{" + ", ".join(f"'{k}': {v}" for k, v in items) + "}"
        ),
        st.tuples(names, inner).map(lambda parts: f"/{parts[0]}/$({parts[1]})/z"),
    )


expressions = st.recursive(st.one_of(names, literals), grow, max_leaves=12)


class TestFuzz:
    @given(expressions)
    @settings(max_examples=200, deadline=None)
    def test_unparsed_text_parses_to_the_same_tree(self, text):
        tree = parse_expression(text)
        assert parse_expression(unparse_expression(tree)) == tree
        assert all(text[node.start : node.end].strip() for node in tree.walk())

    @given(st.text(max_size=200))
    @settings(max_examples=150, deadline=None)
    def test_any_text_ends_with_a_message(self, text):
        refusal(text)

    @given(
        st.lists(
            st.sampled_from(
                [
                    "match",
                    "/a",
                    "/{b}",
                    "/{c=**}",
                    "{",
                    "}",
                    "allow",
                    "get",
                    ",",
                    ":",
                    "if",
                    "a",
                    "(",
                    ")",
                    ";",
                    "function",
                    "f",
                    "return",
                    "let",
                    "=",
                    "==",
                    "&&",
                    "?",
                    "[",
                    "]",
                    "'s'",
                    ".",
                    "in",
                    "-",
                    "$(",
                ]
            ),
            max_size=40,
        )
    )
    @settings(max_examples=300, deadline=None)
    def test_any_heap_of_tokens_parses_or_ends_with_a_message(self, tokens):
        text = f"service cloud.firestore {{ {' '.join(tokens)} }}"
        try:
            tree = parse(text)
        except RulesSyntaxError:
            return
        assert parse(unparse(tree)) == tree

    @given(st.data())
    @settings(max_examples=100, deadline=None)
    def test_a_good_file_with_a_few_bytes_changed(self, data):
        text = (ROOT / "rules" / "firestore.rules").read_text()
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text) - 1))
            text = text[:at] + data.draw(st.sampled_from(["", *"(){}[];:.,'\"/\\&|=!?$ \n\x00é"])) + text[at + 1 :]
        try:
            tree = parse(text)
        except RulesSyntaxError:
            return
        assert parse(unparse(tree)) == tree
