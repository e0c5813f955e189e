"""The coverage of a rules file as one page that needs nothing else."""

from html import escape

from firesuite.rules.coverage import Coverage, Expression

_STYLE = """
body { font: 14px/1.5 ui-monospace, monospace; margin: 2em; color: #1f2328; background: #fff; }
h1 { font-size: 1.2em; } pre { counter-reset: line; } .no { color: #59636e; user-select: none; }
.hit { background: #dafbe1; } .miss { background: #ffcecb; } .part { background: #fff1c2; }
span[title]:hover { outline: 1px solid #0969da; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; } .hit { background: #12361c; } .miss { background: #67060c; }
  .part { background: #4d3800; }
}
"""


def page(coverage: Coverage) -> str:
    """HTML. Green was evaluated, yellow is a condition that was only ever true or only ever not, red never was."""
    source = coverage.source
    body = "".join(_marked(coverage))
    lines = body.split("\n")
    width = len(str(len(lines)))
    numbered = "\n".join(f'<span class="no">{number:>{width}}  </span>{line}' for number, line in enumerate(lines, 1))
    title = f"{escape(source.name)}: {coverage.percent:.1f} % of {len(coverage.expressions)} expressions covered"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p>Hover over an expression to see its values. Green: evaluated. Yellow: a condition"
        f" that came out only one way. Red: never evaluated.</p>\n<pre>{numbered}</pre>\n</html>\n"
    )


def _marked(coverage: Coverage) -> list[str]:
    """The source with a span around every expression; spans are closed and opened again at the end of a line."""
    text = coverage.source.text
    opens: dict[int, list[Expression]] = {}
    closes: dict[int, int] = {}
    for expression in coverage.expressions:
        opens.setdefault(expression.node.start, []).append(expression)
        closes[expression.node.end] = closes.get(expression.node.end, 0) + 1
    out: list[str] = []
    active: list[str] = []
    for offset, character in enumerate(text + "\n"):
        for _ in range(closes.get(offset, 0)):
            active.pop()
            out.append("</span>")
        for expression in opens.get(offset, ()):
            active.append(_tag(expression))
            out.append(active[-1])
        if character == "\n":
            out.append("</span>" * len(active) + "\n" + "".join(active))
        else:
            out.append(escape(character))
    return out[:-1]


def _tag(expression: Expression) -> str:
    seen = expression.seen
    title = ", ".join(f"{value.error or value.shown} ({value.count}x)" for value in seen) or "never evaluated"
    kind = "hit" if seen else "miss"
    shown = {value.shown for value in seen}
    if shown and shown <= {"true", "false", "error"} and len({value == "true" for value in shown}) == 1:
        kind = "part"
    return f'<span class="{kind}" title="{escape(title, quote=True)}">'
