"""The guides for Swift, Kotlin and Dart, and the page on callables, as far as that goes without their compilers: the
types are generated, the code parses, and nothing in it is made up.

Every name that a guide does not declare itself stands in sdk_names.toml, Firebase's with the page that documents it.
Every text in the code is of the API's description (routes with their methods, parameters, headers, fields, error codes)
or stands there among the guide's own.
"""

import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import tree_sitter
from tests.docs.blocks import blocks_of
from tools.docs import ROOT

from tools import client_types
from wattle.callables import CALLS
from wattle.config import REGION

LANGUAGES = ("swift", "kotlin", "dart")
NAMES = tomllib.loads((Path(__file__).parent / "sdk_names.toml").read_text(encoding="utf-8"))
API = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'')
INSERTED = re.compile(r"\\\([^)]*\)|\$\{[^}]*\}|\$\w+")
WORD = re.compile(r"[A-Za-z_]\w*")
# What declares a name: a keyword, a type, or the colon behind it.
DECLARED = (
    re.compile(r"\b(?:let|var|val|func|fun|struct|class|actor|type const|final|const|static const|for \(?)\s*(\w+)"),
    re.compile(r"\b(\w+)\s*:"),
    re.compile(r"\b[A-Z]\w*(?:<[^=;(]*>)?\??\s+(\w+)\s*[,;)=}{(]"),
    re.compile(r"[{(]\s*(?:\(?(\w+)(?:, (\w+))?\)?)\s*(?:->|in\b|=>)"),
    re.compile(r"\bthis\.(\w+)|\bfinal (\w+) in\b|\bcatch \((\w+)"),
    re.compile(r"\b(\w+) (?:async )?(?:throws )?\w* ?in\b"),
    re.compile(r"<(\w+)(?:: \w+, (\w+))?"),
)


IMPORT = re.compile(r"^import (.*)$", re.MULTILINE)


def blocks_in(language):
    pages = (Path(f"docs/clients/{language}.md"), Path("docs/callables.md"))
    return [block for page in pages for block in blocks_of(page) if block.language == language]


def code_of(language):
    return COMMENT.sub("", "\n".join(block.text for block in blocks_in(language)))


def texts_in(code):
    return [INSERTED.sub("{}", double or single) for double, single in TEXT.findall(code)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_parses(language):
    grammar = importlib.import_module(f"tree_sitter_{language}")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    for block in blocks_in(language):
        tree = parser.parse(block.text.encode())
        assert not tree.root_node.has_error, f"{block.place}: {broken_in(tree.root_node)}"


def broken_in(node):
    if node.type == "ERROR" or node.is_missing:
        return node.text.decode()
    return next((found for child in node.children if (found := broken_in(child))), "")


@pytest.mark.parametrize("text", ["struct {", "fun (", "class }"])
def test_what_does_not_parse_is_noticed(text):
    for language in LANGUAGES:
        grammar = importlib.import_module(f"tree_sitter_{language}")
        tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(text.encode())
        assert tree.root_node.has_error


def test_the_types_are_those_of_the_description():
    assert client_types.run(check=True) == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_is_in_the_description(language):
    calls = re.findall(r"""["'](GET|POST|PUT|PATCH|DELETE)["'],\s*["'](/v1/[^"']*)["']""", code_of(language))
    assert len(calls) >= 4
    known = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path, of in API["paths"].items() for method in of}
    for method, path in calls:
        assert (method, INSERTED.sub("{}", path)) in known


def described():
    """Every text that the description knows (parameters, headers, fields, codes, values of enums), and callables'."""
    found = {"data", "pagination", REGION, *CALLS}
    for call in CALLS.values():
        found.update(field.alias for model in (call.data, call.result) for field in model.model_fields.values())

    def walk(node):
        if isinstance(node, dict):
            found.update(node.get("properties", {}) if isinstance(node.get("properties"), dict) else ())
            found.update(one for one in node.get("enum", ()) if isinstance(one, str))
            if isinstance(node.get("name"), str) and "in" in node:
                found.add(node["name"])
            if isinstance(node.get("headers"), dict):
                found.update(node["headers"])
                found.update(name.lower() for name in node["headers"])
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(API)
    codes = re.findall(r"`([A-Z_]+)`", (ROOT / "docs/errors.md").read_text(encoding="utf-8"))
    return found | set(codes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_known(language):
    own = set(NAMES["texts"]) | set(NAMES[language].get("texts", ()))
    routes = {re.sub(r"{\w+}", "{}", path) for path in API["paths"]}
    methods = {method.upper() for of in API["paths"].values() for method in of}
    code = IMPORT.sub("", code_of(language))
    assert set(texts_in(code)) - own - routes - methods - described() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_is_known(language):
    imported = " ".join(IMPORT.findall(code_of(language)))
    # Of a text only what is inserted into it is code.
    code = TEXT.sub(lambda found: " ".join(INSERTED.findall(found[0])), IMPORT.sub("", code_of(language)))
    declared = {name for pattern in DECLARED for found in pattern.findall(code) for name in as_tuple(found)}
    firebase = {name for names in NAMES[language]["firebase"].values() for name in names}
    listed = firebase | set(NAMES[language]["platform"])
    used = set(WORD.findall(code))
    assert used - declared - listed == set()
    assert firebase - used - set(WORD.findall(imported)) == set(), "these are listed and not used"
    for name in re.findall(r"[\w.]*firebase[\w.]*", imported, re.IGNORECASE):
        assert name.rpartition(".")[2] in firebase or name.removesuffix(".dart") in firebase


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_is_in_the_guide(language):
    """Without its setting an SDK compiles, and is silent."""
    settings = {name for names in NAMES[language]["settings"].values() for name in names}
    assert settings - set(re.findall(r"[\w.]+", (ROOT / f"docs/clients/{language}.md").read_text("utf-8"))) == set()


def as_tuple(found):
    return found if isinstance(found, tuple) else (found,)
