"""What the suite reads of a project, and what it says of one that is wrong."""

import json
import sys

import pytest
from tests.suite.harness import copy_of_sample

from firesuite.errors import SuiteError
from firesuite.manifest import Kind
from firesuite.ports import Ports
from firesuite.project import Project


@pytest.fixture
def directory(tmp_path):
    return copy_of_sample(tmp_path / "project")


def change(path, **keys):
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def test_the_default_alias_is_the_project_id(directory):
    assert Project.load(directory).project_id == "demo-sample"


def test_a_given_project_is_an_alias_or_an_id(directory):
    change(directory / ".firebaserc", projects={"default": "demo-sample", "staging": "demo-staging"})
    assert Project.load(directory, "staging").project_id == "demo-staging"
    assert Project.load(directory, "demo-else").project_id == "demo-else"


def test_it_is_found_from_a_directory_below(directory):
    assert Project.load(directory / "functions").directory == directory


def test_the_functions_of_the_manifest(directory):
    endpoints = {endpoint.name: endpoint for endpoint in Project.load(directory).manifest.endpoints}
    assert {name: endpoint.kind for name, endpoint in endpoints.items()} == {
        "web": Kind.HTTPS,
        "alone": Kind.HTTPS,
        "hasty": Kind.HTTPS,
        "selfish": Kind.HTTPS,
        "add": Kind.CALLABLE,
        "onorder": Kind.EVENT,
        "online": Kind.EVENT,
        "flaky": Kind.EVENT,
        "hopeless": Kind.EVENT,
        "nightly": Kind.SCHEDULE,
        "work": Kind.TASK_QUEUE,
    }
    assert endpoints["web"].regions == ("australia-southeast1",)
    assert endpoints["web"].concurrency == 20
    assert endpoints["add"].concurrency == 80
    assert endpoints["add"].timeout_seconds == 60


def test_ports_are_the_usual_ones_unless_firebase_json_says_otherwise(directory):
    assert Project.load(directory).ports == Ports()
    change(directory / "firebase.json", emulators={"auth": {"port": 9100}})
    assert Project.load(directory).ports == Ports(auth=9100)


def test_settings_later_files_win_over_earlier_ones(directory):
    source = directory / "functions"
    (source / ".env").write_text("A=env\nB=env\nC=env\nD=env\n")
    (source / ".env.demo-sample").write_text("B=project\nC=project\nD=project\n")
    (source / ".env.local").write_text("C=local\nD=local\n")
    (source / ".secret.local").write_text("D=secret\n")
    assert Project.load(directory).codebases[0].environment == {"A": "env", "B": "project", "C": "local", "D": "secret"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A = spaced  ", "spaced"),
        ("export A=exported", "exported"),
        ("A=with # comment", "with"),
        ("A='single # \\n'", "single # \\n"),
        ('A="double # \\n" # comment', "double # \n"),
        ('A="two\nlines"', "two\nlines"),
        ("A=", ""),
        ("A=a=b", "a=b"),
        ("# comment\n\nA=after", "after"),
    ],
)
def test_the_dialect_of_env_files(directory, line, value):
    (directory / "functions" / ".env").write_text(f"{line}\n")
    assert Project.load(directory).codebases[0].environment == {"A": value}


def test_the_functions_own_environment_runs_them_where_there_is_one(directory):
    assert str(Project.load(directory).codebases[0].python) == sys.executable
    python = directory / "functions" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert Project.load(directory).codebases[0].python == python


def test_a_project_without_python_functions(directory):
    change(directory / "firebase.json", functions=[])
    assert Project.load(directory).codebases == ()


@pytest.mark.parametrize(
    ("settings", "cpu", "threads"),
    [("", 1, 4), ("", 2, 8), ("", 0.5, 4), ("THREADS=80", 1, 80), ("THREADS=10\nWORKERS=2", 1, 20)],
)
def test_a_function_works_on_as_many_requests_as_the_framework_gives_it_threads(directory, settings, cpu, threads):
    (directory / "functions" / ".env").write_text(settings)
    manifest = directory / "functions" / "functions.yaml"
    manifest.write_text(f"endpoints:\n  web:\n    entryPoint: web\n    cpu: {cpu}\n    httpsTrigger: {{}}\n")
    [codebase] = Project.load(directory).codebases
    assert codebase.threads(codebase.manifest.endpoint("web")) == threads


def break_firebase_json(directory):
    (directory / "firebase.json").write_text('{\n  "firestore": {,}\n}')
    return f"{directory}/firebase.json, line 2: not valid JSON"


def break_port(directory):
    change(directory / "firebase.json", emulators={"auth": {"port": "9099"}})
    return "firebase.json: emulators.auth.port must be a port number, not '9099'."


def break_aliases(directory):
    (directory / ".firebaserc").unlink()
    return f'{directory}/.firebaserc: no alias "default": run `firesuite init`, or give --project.'


def break_env(directory):
    (directory / "functions" / ".env").write_text("A=1\nnonsense\n")
    return f"{directory}/functions/.env, line 2: expected KEY=value, found 'nonsense'."


def break_encoding(directory):
    (directory / "functions" / ".env").write_bytes("A=1\nB=caf\u00e9\n".encode("latin-1"))
    return f"{directory}/functions/.env, line 2: not valid UTF-8."


def break_section(name, section):
    def break_it(directory):
        change(directory / "firebase.json", **{name: section})
        return f"{directory}/firebase.json: '{name}' must be an object or a list of objects."

    break_it.__name__ = f"break_section_{name}"
    return break_it


def break_emulators(directory):
    change(directory / "firebase.json", emulators=[])
    return f"{directory}/firebase.json: 'emulators' must be an object."


def break_emulator(directory):
    change(directory / "firebase.json", emulators={"ui": True})
    return f"{directory}/firebase.json: 'emulators.ui' must be an object."


def break_source(directory):
    change(directory / "firebase.json", functions=[{"source": "backend", "runtime": "python311"}])
    return f"{directory}/backend/main.py is missing: firebase.json names 'backend' as functions source."


def break_manifest_syntax(directory):
    (directory / "functions" / "functions.yaml").write_text("endpoints:\n  a: [\n")
    return f"{directory}/functions/functions.yaml, line 3: not valid YAML"


def break_manifest(text, mistake):
    def break_it(directory):
        (directory / "functions" / "functions.yaml").write_text(text)
        return f"{directory}/functions/functions.yaml, {mistake}"

    break_it.__name__ = f"break_manifest_{mistake}"
    return break_it


def break_manifest_missing(directory):
    (directory / "functions" / "functions.yaml").unlink()
    main = directory / "functions" / "main.py"
    main.write_text("import firebase_functions\n\nnowhere()\n")
    return "The functions could not be loaded. main.py, line 3: NameError: name 'nowhere' is not defined"


def break_manifest_trigger(directory):
    (directory / "functions" / "functions.yaml").write_text("endpoints:\n  a:\n    entryPoint: a\n")
    return f"{directory}/functions/functions.yaml, line 2: endpoints.a has none of the triggers that are known here"


def break_two_codebases(directory):
    entry = {"source": "functions", "runtime": "python311"}
    change(directory / "firebase.json", functions=[{**entry, "codebase": "a"}, {**entry, "codebase": "b"}])
    return "The codebases a and b both export add: one of them would replace the other when it is deployed."


@pytest.mark.parametrize(
    "break_it",
    [
        break_firebase_json,
        break_port,
        break_aliases,
        break_env,
        break_encoding,
        break_section("functions", "x"),
        break_section("functions", [1]),
        break_section("firestore", "x"),
        break_section("storage", [[]]),
        break_section("hosting", "x"),
        break_emulators,
        break_emulator,
        break_source,
        break_manifest_syntax,
        break_manifest("endpoints:\n  a: {httpsTrigger: {}}\n  b: 3\n", "line 3: endpoints.b must be an object."),
        break_manifest("endpoints:\n  b:\n    httpsTrigger: 3\n", "line 2: endpoints.b has a httpsTrigger that is"),
        break_manifest("endpoints:\n  b: {scheduleTrigger: {}}\n", "line 2: endpoints.b has a scheduleTrigger without"),
        break_manifest("endpoints:\n  b: {httpsTrigger: {}, region: 1}\n", "line 2: endpoints.b has a region that is"),
        break_manifest("endpoints: {}\nparams: [{}]\n", "line 2: params must be a list of objects with a 'name'."),
        break_manifest_missing,
        break_manifest_trigger,
        break_two_codebases,
    ],
    ids=lambda function: function.__name__,
)
def test_what_is_wrong_is_one_sentence_with_file_and_key(directory, break_it):
    wanted = break_it(directory)
    with pytest.raises(SuiteError) as caught:
        Project.load(directory)
    assert str(caught.value).startswith(wanted)
