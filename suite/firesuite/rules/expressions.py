"""The expression half of the parser.

Operators bind as Google's reference says, from loose to tight: `?:`, `||`, `&&`, `== !=`, `in is`, `< <= > >=`, `+ -`,
`* / %`, unary `- !`, then index, call and member. Recursion is only as deep as parentheses and brackets nest, and
their nesting is bounded: a hostile file ends in a message.
"""

from firesuite.rules.scanner import Scanner, Token
from firesuite.rules.syntax import (
    Binary,
    Call,
    Expr,
    Index,
    ListLiteral,
    Literal,
    MapLiteral,
    Member,
    Name,
    PathLiteral,
    Slice,
    Ternary,
    TypeTest,
    Unary,
)

# Production refuses an expression nested 99 deep and takes 98; member access does not count there.
MAX_NESTING = 98
# A chain of members, calls and indexes does count here: 250 levels are walked within Python's own stack.
MAX_HEIGHT = 250
TOO_COMPLEX = "Expression is too complex to evaluate safely: it nests deeper than 98 levels."

# As the operand of `is`.
TYPES = frozenset(
    (
        *("bool", "bytes", "constraint", "duration", "float", "int", "latlng", "list"),
        *("map", "null", "number", "path", "set", "string", "timestamp"),
    )
)
BINDING = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "in": 4,
    "is": 4,
    "<": 5,
    "<=": 5,
    ">": 5,
    ">=": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%": 7,
}


def nesting(expression: Expr) -> int:
    """Levels of `expression` as production counts them: a member access adds none."""
    deepest, stack = 0, [(expression, 1)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        below = level if isinstance(node, Member) else level + 1
        stack.extend((child, below) for child in node.children())
    return deepest


class ExpressionParser:
    """Parses expressions from a scanner. `rules` subclasses it with statements."""

    def __init__(self, scanner: Scanner) -> None:
        self.scan = scanner
        self._open = 0

    def expect(self, text: str, why: str = "") -> Token:
        token = self.scan.peek()
        if token.text != text or token.kind not in ("punctuation", "name"):
            raise self.scan.error(f"Expected '{text}'{why}, found {_shown(token)}.", token.start)
        return self.scan.take()

    def expect_name(self, what: str) -> Token:
        token = self.scan.peek()
        if token.kind != "name":
            raise self.scan.error(f"Expected {what}, found {_shown(token)}.", token.start)
        return self.scan.take()

    def next_is(self, text: str) -> bool:
        token = self.scan.peek()
        return token.text == text and token.kind in ("punctuation", "name")

    def skip_if(self, text: str) -> bool:
        if self.next_is(text):
            self.scan.take()
            return True
        return False

    def root(self) -> Expr:
        """A whole condition, binding or result; refuses what nests deeper than production would evaluate."""
        expression = self.expression()
        if nesting(expression) > MAX_NESTING + 1:
            raise self.scan.error(TOO_COMPLEX, expression.start)
        return expression

    def expression(self) -> Expr:
        start = self.scan.peek().start
        self._open += 1
        if self._open > MAX_NESTING:
            raise self.scan.error(TOO_COMPLEX, start)
        result = self._operators()
        if self.skip_if("?"):
            then = self.expression()
            self.expect(":", " in a conditional expression")
            otherwise = self.expression()
            result = Ternary(
                condition=result,
                then=then,
                otherwise=otherwise,
                start=result.outer_start,
                end=otherwise.outer_end,
                height=self._height(start, result, then, otherwise),
            )
        self._open -= 1
        return result

    def _operators(self) -> Expr:
        """Operators by precedence, with a stack of its own in place of recursion."""
        operands = [self._operand()]
        pending: list[Token] = []
        while True:
            token = self.scan.peek()
            binding = BINDING.get(token.text, 0) if token.kind in ("punctuation", "name") else 0
            while pending and BINDING[pending[-1].text] >= max(binding, 1):
                operator = pending.pop()
                right, left = operands.pop(), operands.pop()
                operands.append(
                    Binary(
                        operator=operator.text,
                        left=left,
                        right=right,
                        operator_start=operator.start,
                        start=left.outer_start,
                        end=right.outer_end,
                        height=self._height(operator.start, left, right),
                    )
                )
            if not binding:
                return operands[0]
            self.scan.take()
            if token.text == "is":
                operands.append(self._type_test(operands.pop()))
            else:
                pending.append(token)
                operands.append(self._operand())

    def _type_test(self, operand: Expr) -> Expr:
        token = self.expect_name("a type after 'is'")
        if token.text not in TYPES:
            raise self.scan.error(f"'{token.text}' is no type: use one of {', '.join(sorted(TYPES))}.", token.start)
        return TypeTest(
            operand=operand,
            type_name=token.text,
            start=operand.outer_start,
            end=token.end,
            height=self._height(token.start, operand),
        )

    def _operand(self) -> Expr:
        prefixes: list[Token] = []
        while self.next_is("!") or self.next_is("-"):
            prefixes.append(self.scan.take())
            if len(prefixes) > MAX_NESTING:
                raise self.scan.error(TOO_COMPLEX, prefixes[0].start)
        result = self._postfix(self._primary())
        for prefix in reversed(prefixes):
            result = Unary(
                operator=prefix.text,
                operand=result,
                start=prefix.start,
                end=result.outer_end,
                height=self._height(prefix.start, result),
            )
        return result

    def _postfix(self, target: Expr) -> Expr:
        while True:
            if self.skip_if("."):
                token = self.expect_name("a name after '.'")
                target = Member(
                    target=target,
                    name=token.text,
                    start=target.outer_start,
                    end=token.end,
                    height=self._height(token.start, target),
                )
            elif self.skip_if("("):
                arguments = self._list(")")
                target = Call(
                    callee=target,
                    arguments=arguments,
                    start=target.outer_start,
                    end=self.scan.offset,
                    height=self._height(target.start, target, *arguments),
                )
            elif self.skip_if("["):
                target = self._bracket(target)
            else:
                return target

    def _bracket(self, target: Expr) -> Expr:
        index = self.expression()
        if self.skip_if(":"):
            last = self.expression()
            end = self.expect("]").end
            height = self._height(index.start, target, index, last)
            return Slice(target=target, first=index, last=last, start=target.outer_start, end=end, height=height)
        end = self.expect("]").end
        height = self._height(index.start, target, index)
        return Index(target=target, index=index, start=target.outer_start, end=end, height=height)

    def _list(self, closing: str) -> tuple[Expr, ...]:
        """Expressions with commas up to `closing`, which is passed; a list may end in a comma, arguments may not."""
        items: list[Expr] = []
        if self.skip_if(closing):
            return ()
        while True:
            items.append(self.expression())
            if not self.skip_if(","):
                break
            if closing == "]" and self.next_is(closing):
                break
        self.expect(closing, " or ','")
        return tuple(items)

    def _primary(self) -> Expr:
        if self.scan.source.text.startswith("/", self.scan.skip()):
            return self._path()
        token = self.scan.take()
        extent = {"start": token.start, "end": token.end}
        if token.kind in ("int", "float", "string") or token.text in ("true", "false", "null"):
            return Literal(text=token.text, **extent)
        if token.kind == "name" and token.text not in ("in", "is", "if", "return", "let"):
            return Name(name=token.text, **extent)
        if token.text == "(":
            inner = self.expression()
            end = self.expect(")").end
            object.__setattr__(inner, "outer_start", token.start)
            object.__setattr__(inner, "outer_end", end)
            return inner
        if token.text == "[":
            items = self._list("]")
            height = self._height(token.start, *items)
            return ListLiteral(items=items, start=token.start, end=self.scan.offset, height=height)
        if token.text == "{":
            return self._map(token)
        raise self.scan.error(f"Expected an expression, found {_shown(token)}.", token.start)

    def _map(self, opening: Token) -> Expr:
        entries: list[tuple[str, Expr]] = []
        while not self.next_is("}"):
            key = self.scan.take()
            if key.kind not in ("string", "name"):
                raise self.scan.error(f"Expected a key of a map, found {_shown(key)}.", key.start)
            self.expect(":", " after the key")
            entries.append((key.text, self.expression()))
            if not self.skip_if(","):
                break
        end = self.expect("}", " or ','").end
        height = self._height(opening.start, *(value for _, value in entries))
        return MapLiteral(entries=tuple(entries), start=opening.start, end=end, height=height)

    def _path(self) -> Expr:
        start = self.scan.offset
        segments: list[str | Expr] = []
        while self.scan.at("/"):
            self.scan.offset += 1
            if self.scan.at("$("):
                self.scan.offset += 2
                segments.append(self.expression())
                self.expect(")", " after the expression in a path")
            else:
                segments.append(self.scan.segment().text)
        height = self._height(start, *(segment for segment in segments if isinstance(segment, Expr)))
        return PathLiteral(segments=tuple(segments), start=start, end=self.scan.offset, height=height)

    def _height(self, offset: int, *children: Expr) -> int:
        height = 1 + max((child.height for child in children), default=0)
        if height > MAX_HEIGHT:
            raise self.scan.error(f"Expression is too complex: it is a tree of more than {MAX_HEIGHT} levels.", offset)
        return height


def _shown(token: Token) -> str:
    return token.text if token.kind == "end" else f"'{token.text[:40]}'"
