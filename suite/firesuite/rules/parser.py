"""The parser of the Firestore rules language, with positions.

It takes what production takes: what production only warns of (an unknown function, a missing semicolon) parses here
and is a finding of `lint`; what production refuses is a `RulesSyntaxError`, from here or from `check`.
"""

from pathlib import Path

from firesuite.errors import SuiteError
from firesuite.rules.check import check
from firesuite.rules.expressions import ExpressionParser
from firesuite.rules.scanner import Scanner, Token
from firesuite.rules.source import MAX_SOURCE_BYTES, RulesSyntaxError, Source
from firesuite.rules.syntax import Allow, Expr, Function, Let, Match, Parameter, Ruleset, Segment, Service

# Production takes ten nested match blocks and refuses eleven.
MAX_MATCH_DEPTH = 10


def parse(source: Source | str) -> Ruleset:
    """The tree of a rules file.

    Raises `RulesSyntaxError`, with line and column, for everything that production refuses to install.
    """
    if isinstance(source, str):
        source = Source(source)
    if len(source.text) > MAX_SOURCE_BYTES or len(source.text.encode(errors="replace")) > MAX_SOURCE_BYTES:
        raise RulesSyntaxError("The rules are larger than 256 KB: production refuses them.", source, 0)
    ruleset = _Parser(Scanner(source)).ruleset()
    check(ruleset, source)
    return ruleset


def parse_expression(text: str) -> Expr:
    """One expression alone, such as a suggested condition."""
    parser = _Parser(Scanner(Source(text)))
    expression = parser.root()
    token = parser.scan.peek()
    if token.kind != "end":
        raise parser.scan.error(f"Unexpected '{token.text}' after the expression.", token.start)
    return expression


def load(path: Path | str) -> tuple[Source, Ruleset]:
    """Reads and parses a file. Raises SuiteError where it cannot be read, `RulesSyntaxError` for what is in it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"No rules can be read from {path}: {error.strerror}. Name the file.") from error
    except UnicodeDecodeError as error:
        empty = Source("", str(path))
        raise RulesSyntaxError(f"The file is not UTF-8 (byte {error.start}).", empty, 0) from error
    source = Source(text, str(path))
    return source, parse(source)


class _Parser(ExpressionParser):
    def ruleset(self) -> Ruleset:
        version = None
        functions: list[Function] = []
        services: list[Service] = []
        if self.skip_if("rules_version"):
            self.expect("=")
            token = self.scan.take()
            if token.kind != "string" or token.text[1:-1] not in ("1", "2"):
                raise self.scan.error("rules_version is '1' or '2'.", token.start)
            version = token.text[1:-1]
            self.skip_if(";")
        while True:
            token = self.scan.peek()
            if token.kind == "end":
                break
            if self.skip_if("service"):
                services.append(self._service(token))
            elif self.skip_if("function"):
                functions.append(self._function(token))
            elif token.text == "import":
                raise self.scan.error("import is not supported: put the functions into this file.", token.start)
            else:
                raise self.scan.error(f"Expected 'service' or 'function', found '{token.text[:40]}'.", token.start)
        if not services:
            raise self.scan.error("The file has no 'service cloud.firestore { ... }' block.", token.start)
        end = len(self.scan.source.text)
        comments = tuple(comment for _, comment in sorted(self.scan.comments.items()))
        return Ruleset(
            version=version,
            functions=tuple(functions),
            services=tuple(services),
            comments=comments,
            start=0,
            end=end,
        )

    def _service(self, opening: Token) -> Service:
        name = self.expect_name("the name of a service").text
        while self.skip_if("."):
            name += "." + self.expect_name("a name after '.'").text
        matches, functions, allows, end = self._block(depth=0)
        if allows:
            raise self.scan.error("'allow' stands inside of a 'match' block only.", allows[0].start)
        return Service(name=name, matches=matches, functions=functions, start=opening.start, end=end)

    def _block(self, depth: int) -> tuple[tuple[Match, ...], tuple[Function, ...], tuple[Allow, ...], int]:
        self.expect("{")
        matches: list[Match] = []
        functions: list[Function] = []
        allows: list[Allow] = []
        while True:
            token = self.scan.take()
            if token.text == "}":
                return tuple(matches), tuple(functions), tuple(allows), token.end
            if token.text == "match":
                matches.append(self._match(token, depth + 1))
            elif token.text == "function":
                functions.append(self._function(token))
            elif token.text == "allow":
                allows.append(self._allow(token))
            elif token.kind == "end":
                raise self.scan.error("The file ends inside of a block: a '}' is missing.", token.start)
            else:
                message = f"Expected 'match', 'allow', 'function' or '}}', found '{token.text[:40]}'."
                raise self.scan.error(message, token.start)

    def _match(self, opening: Token, depth: int) -> Match:
        if depth > MAX_MATCH_DEPTH:
            raise self.scan.error(f"match blocks nest at most {MAX_MATCH_DEPTH} deep.", opening.start)
        path_start = self.scan.skip()
        segments: list[Segment] = []
        if not self.scan.at("/"):
            raise self.scan.error("A match path starts with '/'.", path_start)
        while self.scan.at("/"):
            slash = self.scan.offset
            self.scan.offset += 1
            segments.append(self._segment(slash))
        matches, functions, allows, end = self._block(depth)
        return Match(
            segments=tuple(segments),
            path_start=path_start,
            matches=matches,
            functions=functions,
            allows=allows,
            start=opening.start,
            end=end,
        )

    def _segment(self, slash: int) -> Segment:
        if not self.scan.at("{"):
            token = self.scan.segment()
            return Segment(text=token.text, start=slash, end=token.end)
        self.scan.offset += 1
        name = self.expect_name("the name of a wildcard").text
        recursive = self.skip_if("=")
        if recursive:
            self.expect("*", " of '=**'")
            self.expect("*", " of '=**'")
        end = self.expect("}").end
        return Segment(text=name, wildcard=True, recursive=recursive, start=slash, end=end)

    def _allow(self, opening: Token) -> Allow:
        first = last = self.expect_name("a method such as 'get'")
        methods = [first.text]
        while self.skip_if(","):
            last = self.expect_name("a method after ','")
            methods.append(last.text)
        end = last.end
        condition = None
        if self.skip_if(":"):
            self.expect("if", " before the condition")
            token = self.scan.peek()
            if token.text == ";":
                raise self.scan.error("Missing conditional expression after 'if'.", token.start)
            condition = self.root()
            end = condition.outer_end
        if self.next_is(";"):
            end = self.scan.take().end
        return Allow(
            methods=tuple(methods),
            methods_start=first.start,
            methods_end=last.end,
            condition=condition,
            start=opening.start,
            end=end,
        )

    def _function(self, opening: Token) -> Function:
        name = self.expect_name("the name of a function")
        self.expect("(")
        parameters: list[Parameter] = []
        while not self.next_is(")"):
            token = self.expect_name("the name of a parameter")
            parameters.append(Parameter(name=token.text, start=token.start, end=token.end))
            if not self.skip_if(","):
                break
        self.expect(")")
        self.expect("{")
        lets: list[Let] = []
        while self.next_is("let"):
            start = self.scan.take().start
            binding = self.expect_name("the name of a binding")
            self.expect("=")
            value = self.root()
            self.skip_if(";")
            extent = {"start": start, "end": value.outer_end}
            lets.append(Let(name=binding.text, name_start=binding.start, value=value, **extent))
        self.expect("return", " in a function")
        body = self.root()
        self.skip_if(";")
        end = self.expect("}", " after 'return'").end
        return Function(
            name=name.text,
            name_start=name.start,
            parameters=tuple(parameters),
            lets=tuple(lets),
            body=body,
            start=opening.start,
            end=end,
        )
