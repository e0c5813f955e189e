"""Parameters of a functions manifest: their values, and the expressions in which endpoints use them.

The expressions are those that `firebase_functions.params` writes: `{{ params.NAME }}`, a comparison with a literal, and
a choice between two (`{{ params.TIER == "big" ? 8 : 1 }}`).
"""

import dataclasses
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firesuite.errors import SuiteError

Value = str | int | float | bool | list[Any]

_OPERAND = r'(?:params\.[A-Z0-9_]+|"[^"]*"|-?\d+(?:\.\d+)?|[Tt]rue|[Ff]alse)'
_EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_TERM = re.compile(
    rf"(?P<left>{_OPERAND})"
    rf"(?:\s*(?P<comparator>==|!=|>=|<=|>|<)\s*(?P<right>{_OPERAND}))?"
    rf"(?:\s*\?\s*(?P<then>{_OPERAND})\s*:\s*(?P<otherwise>{_OPERAND}))?"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; `type` is `string`, `int`, `float`, `boolean`, `list` or `secret`."""

    name: str
    type: str
    default: Any

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> "Parameter":
        return cls(spec["name"], spec.get("type", "string"), spec.get("default"))


def built_in(firebase_config: Mapping[str, str]) -> dict[str, Value]:
    """The parameters that every project has, by their names in expressions."""
    return {
        "PROJECT_ID": firebase_config["projectId"],
        "GCLOUD_PROJECT": firebase_config["projectId"],
        "DATABASE_URL": firebase_config["databaseURL"],
        "STORAGE_BUCKET": firebase_config["storageBucket"],
    }


def values(
    parameters: Sequence[Parameter], environment: Mapping[str, str], built_ins: Mapping[str, Value]
) -> tuple[dict[str, Value], list[Parameter]]:
    """Each parameter's value, from the settings or its default, and those that have neither."""
    known = dict(built_ins)
    missing = []
    for parameter in parameters:
        if parameter.name in environment:
            known[parameter.name] = _typed(parameter, environment[parameter.name])
        elif parameter.default is not None:
            known[parameter.name] = resolve(parameter.default, known, parameter.name)
        else:
            missing.append(parameter)
    return known, missing


def resolve(value: Any, known: Mapping[str, Value], where: str) -> Any:
    """`value`, with the expressions in it worked out, at any depth.

    Raises SuiteError, naming `where`, for an expression that is not understood or uses an unknown parameter.
    """
    if isinstance(value, Mapping):
        return {key: resolve(item, known, where) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, known, where) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    whole = _EXPRESSION.fullmatch(value)
    if whole:
        return _evaluate(whole[1], known, where)
    return _EXPRESSION.sub(lambda match: str(_evaluate(match[1], known, where)), value)


def _evaluate(expression: str, known: Mapping[str, Value], where: str) -> Value:
    term = _TERM.fullmatch(expression)
    if term is None:
        raise SuiteError(f"{where}: the expression {expression!r} is not understood here.")
    value = _operand(term["left"], known, where)
    if term["comparator"]:
        value = _COMPARE[term["comparator"]](value, _operand(term["right"], known, where))
    if term["then"]:
        return _operand(term["then"] if value else term["otherwise"], known, where)
    return value


def _operand(text: str, known: Mapping[str, Value], where: str) -> Value:
    if text.startswith("params."):
        name = text.removeprefix("params.")
        if name not in known:
            raise SuiteError(f"{where}: the parameter {name} has no value. Add {name}=... to .env.local beside it.")
        return known[name]
    value: Value = json.loads(text.lower() if text.lower() in {"true", "false"} else text)
    return value


def _typed(parameter: Parameter, text: str) -> Value:
    try:
        match parameter.type:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "list":
                # A JSON array as Cloud Run gets it, or names with commas as firebase-tools writes it into .env files.
                return json.loads(text) if text.startswith("[") else [part for part in text.split(",") if part]
            case _:
                return text
    except (ValueError, KeyError):
        raise SuiteError(f"The parameter {parameter.name} is of type {parameter.type}, and {text!r} is not.") from None
