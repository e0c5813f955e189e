"""`firesuite functions list`, `call`, `run`, `logs`, `doctor` and `init`."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.suite.harness import copy_of_sample, ended, eventually, needs_private_home, running
from tests.suite.test_stopping import up

from firesuite.ports import Ports

FIRESUITE = [sys.executable, "-m", "firesuite.cli"]


def firesuite(directory, *arguments, text=None, environment=None):
    return subprocess.run(
        [*FIRESUITE, *arguments],
        cwd=directory,
        env={**os.environ, "TMPDIR": str(directory / "scratch"), **(environment or {})},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with `firesuite up` in another process."""
    directory = copy_of_sample(tmp_path_factory.mktemp("commands"))
    process = up(directory, Ports.free())
    with ended(process):
        yield directory
        process.send_signal(signal.SIGINT)
        process.wait(60)


def said(directory, *arguments, **options):
    done = firesuite(directory, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_functions_list_names_kind_region_and_what_starts_each(project):
    lines = said(project, "functions", "list").splitlines()
    assert "nightly   schedule   australia-southeast1  0 3 * * * (Australia/Sydney)" in lines
    assert (
        "onorder   event      australia-southeast1  google.cloud.firestore.document.v1.written orders/{orderId}"
        in lines
    )
    assert "web       https      australia-southeast1" in lines


def test_call_of_an_https_function(project):
    answer = json.loads(said(project, "call", "web", "--path", "/a/b?x=1"))
    assert (answer["method"], answer["path"], answer["query"]) == ("GET", "/a/b", {"x": "1"})
    assert json.loads(said(project, "call", "web", "-", text="{}"))["method"] == "POST"
    assert json.loads(said(project, "call", "web", "-X", "DELETE"))["method"] == "DELETE"


def test_call_of_a_callable_signed_in(project):
    assert json.loads(said(project, "call", "add", '{"a": 1, "b": 2}')) == {"result": {"sum": 3, "uid": None}}
    answer = json.loads(said(project, "call", "add", '{"a": 1, "b": 2}', "--as", "alice"))
    assert answer == {"result": {"sum": 3, "uid": "alice"}}


def test_call_with_an_app_check_token(project):
    for options, app in ((["--app-check"], "1:123456789012:web:local"), (["--app-check", "1:2:ios:3"], "1:2:ios:3")):
        token = json.loads(said(project, "call", "web", *options))["app_check"]
        payload = token.split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"] == app


def test_a_refusal_is_shown_and_is_the_exit_code(project):
    done = firesuite(project, "call", "add", '{"b": 2}')
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["status"] == "INVALID_ARGUMENT"
    assert done.stderr == "HTTP 400\n"


def test_call_of_a_task_queue_enqueues(project):
    name = said(project, "call", "work", '{"n": 1}').strip()
    assert name.startswith("projects/demo-sample/locations/australia-southeast1/queues/work/tasks/")
    eventually(lambda: "work event 204" in said(project, "logs") or "work event 200" in said(project, "logs"))


def test_run_runs_a_schedule_now_and_logs_show_it(project):
    said(project, "run", "nightly")
    eventually(lambda: "nightly event 200" in said(project, "logs", "--only", "functions"))


def test_what_fails_is_the_exit_code_with_what_the_function_said(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    main = directory / "functions" / "main.py"
    broken = 'raise RuntimeError("no night")\n'
    main.write_text(main.read_text().replace('database().collection("nights").add', f"{broken}    print"))
    assert broken in main.read_text()
    names = "add, alone, flaky, hasty, hopeless, nightly, online, onorder, selfish, web, work"
    process = up(directory, Ports.free())
    with ended(process):
        for arguments in (("run", "nightly"), ("call", "nightly")):
            done = firesuite(directory, *arguments)
            assert done.returncode == 1
            assert "RuntimeError: no night" in done.stderr
            assert done.stderr.endswith("HTTP 500\n")
        done = firesuite(directory, "call", "web", "--path", "/crash")
        assert done.returncode == 1
        assert "ValueError: asked to" in done.stderr
        for command in ("run", "call"):
            done = firesuite(directory, command, "nigthly")
            assert done.returncode == 1
            assert done.stderr.startswith("firesuite: There is no function 'nigthly'; there are: ")
            assert set(done.stderr.rstrip(".\n").partition("there are: ")[2].split(", ")) == set(names.split(", "))
        process.send_signal(signal.SIGINT)
        process.wait(60)


@needs_private_home
def test_up_starts_with_code_that_does_not_import_and_the_commands_reach_it_without_a_manifest(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    (directory / "functions" / "functions.yaml").unlink()
    main = directory / "functions" / "main.py"
    text = main.read_text()
    main.write_text(text.replace('VERSION = "1"', "VERSION = nowhere"))
    process = up(directory, Ports.free())
    with ended(process):
        assert "Ready." in process.said
        logged = said(directory, "logs")
        assert f"{main} has no functions until a save mends it. The functions could not be loaded. main.py" in logged
        assert logged.count("Traceback") == 1
        assert firesuite(directory, "call", "web").stderr == "firesuite: There is no function 'web'; there are: none.\n"
        assert "There is no function 'nightly'" in firesuite(directory, "run", "nightly").stderr
        main.write_text(text)
        eventually(lambda: "Events are delivered as the functions say now" in said(directory, "logs"))
        assert json.loads(said(directory, "call", "web"))["method"] == "GET"
        assert said(directory, "run", "nightly") == ""
        main.write_text(text.replace('VERSION = "1"', "VERSION = nowhere"))
        eventually(lambda: firesuite(directory, "call", "web").returncode == 1)
        assert "nowhere" in said(directory, "logs", "--only", "functions")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_a_second_suite_says_how_it_is_reached(project):
    """Within its own `exec` it is by itself: the environment names its hub, as it does for every tool."""
    script = "echo $FIREBASE_EMULATOR_HUB $FIRESTORE_EMULATOR_HOST; exec firesuite call web --path '/?env=%s'"
    script = script.replace("firesuite", " ".join(FIRESUITE)) % "FIRESTORE_EMULATOR_HOST"
    done = firesuite(project, "exec", "--ports", "free", "--", "sh", "-c", script)
    addresses, answer = done.stdout.split("\n", 1)
    hub, firestore = addresses.split()
    assert json.loads(answer)["environment"] == {"FIRESTORE_EMULATOR_HOST": firestore}
    assert "`firesuite call`, `run` and `logs` go to the suite of this project that runs already" in done.stderr
    assert f"set FIREBASE_EMULATOR_HUB={hub} for them" in done.stderr
    gone = firesuite(project, "logs", environment={"FIREBASE_EMULATOR_HUB": hub})
    assert gone.stderr == (
        f"firesuite: No suite of demo-sample runs at FIREBASE_EMULATOR_HUB={hub}: start one with `firesuite up` in"
        " another terminal.\n"
    )


def test_within_exec_the_project_need_not_be_named_again(project):
    call = [*FIRESUITE, "call", "web", "--path", "/?env=GCLOUD_PROJECT"]
    done = firesuite(project, "exec", "--ports", "free", "--project", "demo-other", "--", *call)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environment"] == {"GCLOUD_PROJECT": "demo-other"}


def test_the_hub_of_another_project_is_not_taken_for_this_ones(project, suite):
    hub = suite.environment["FIREBASE_EMULATOR_HUB"]
    other = firesuite(project, "logs", "--project", "demo-other", environment={"FIREBASE_EMULATOR_HUB": hub})
    assert other.stderr == f"firesuite: At FIREBASE_EMULATOR_HUB={hub} runs demo-sample, not demo-other.\n"


def test_mistakes_are_one_sentence(project):
    for arguments, sentence in {
        ("run", "web"): "web has no schedule to run ahead of: it is of kind https.",
        ("call", "onorder"): "onorder is started by a write: write the document.",
        (
            "call",
            "add",
            "{",
        ): "The data is not JSON: Expecting property name enclosed in double quotes at character 2 of '{'.",
    }.items():
        done = firesuite(project, *arguments)
        assert (done.returncode, done.stderr) == (1, f"firesuite: {sentence}\n")
    assert "There is no function 'wbe'; there are: add, " in firesuite(project, "call", "wbe").stderr
    other = firesuite(project, "logs", "--project", "demo-other")
    assert other.stderr == (
        "firesuite: No suite of demo-other runs: start one with `firesuite up` in another terminal.\n"
    )


def test_doctor_finds_nothing_to_mend_and_says_that_ports_are_in_use(project):
    text = said(project, "doctor")
    assert "MISSING" not in text
    assert "ok       functions (default): 11 in " in text


def test_doctor_says_what_is_missing_and_how_to_mend_it(tmp_path):
    project = copy_of_sample(tmp_path / "project")
    (project / "scratch").mkdir()
    (project / "node_modules").unlink()
    done = firesuite(project, "doctor", environment={"PATH": "/nowhere"})
    assert done.returncode == 1
    assert (
        f"MISSING  fireemu: fireemu is not installed in {project}: run `firesuite init && npm install --ignore-scripts`"
        in done.stdout
    )
    assert (
        "MISSING  Node: Node is not installed: events need it. Install Node 20 or newer: `nvm install 20`"
        in done.stdout
    )
    assert "MISSING  firebase-functions for Node: " in done.stdout


def test_doctor_without_a_project(tmp_path):
    (tmp_path / "scratch").mkdir()
    done = firesuite(tmp_path, "doctor")
    assert done.returncode == 1
    assert "MISSING  the project: There is no firebase.json in " in done.stdout


def test_init_makes_an_empty_directory_a_project_that_starts(tmp_path):
    directory = tmp_path / "My Shop"
    (directory / "scratch").mkdir(parents=True)
    text = said(directory, "init")
    assert "wrote functions/main.py" in text
    assert (directory / "functions" / ".env").read_text().endswith("\nTHREADS=80\n")
    assert json.loads((directory / ".firebaserc").read_text()) == {"projects": {"default": "demo-my-shop"}}
    assert set(json.loads((directory / "package.json").read_text())["optionalDependencies"]) >= {"@fireemu/linux-x64"}
    (directory / "node_modules").symlink_to(Path(__file__).parents[2] / "node_modules")
    code = "import os, urllib.request as u; print(u.urlopen(f\"http://{os.environ['FUNCTIONS_EMULATOR_HOST']}/demo-my-shop/us-central1/hello\").read())"
    assert "b'Hello, world.'" in said(directory, "exec", "--ports", "free", "--", sys.executable, "-c", code)
    assert said(directory, "init").startswith("Nothing was missing.")


def test_init_leaves_what_is_there_alone(tmp_path):
    project = copy_of_sample(tmp_path / "project")
    (project / "scratch").mkdir()
    before = {name: (project / name).read_bytes() for name in ("firebase.json", ".firebaserc", "functions/main.py")}
    (project / "package.json").write_text('{"name": "mine", "dependencies": {"firebase-functions": "6.0.0"}}')
    said(project, "init")
    assert {name: (project / name).read_bytes() for name in before} == before
    package = json.loads((project / "package.json").read_text())
    assert package["name"] == "mine"
    assert package["dependencies"] == {"firebase-functions": "6.0.0"}
    assert "devDependencies" not in package


NODE = {"name": "functions", "main": "index.js", "engines": {"node": "20"}}


class TestInitOfAnExistingProject:
    @staticmethod
    def files(directory):
        paths = [path for path in directory.rglob("*") if path.is_file()]
        return {str(path.relative_to(directory)): path.read_bytes() for path in paths}

    def init(self, directory, files):
        """What it changed; a second run changes nothing."""
        for name, content in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(content if isinstance(content, str) else json.dumps(content))
        before = self.files(directory)
        said(directory, "init")
        after = self.files(directory)
        assert said(directory, "init").startswith("Nothing was missing.")
        assert self.files(directory) == after
        assert before.keys() <= after.keys()
        return {name for name in after if after[name] != before.get(name)}

    def test_with_node_functions_gets_no_python_among_them(self, tmp_path):
        files = {"firebase.json": {"functions": {"source": "functions"}}, "functions/package.json": NODE}
        assert self.init(tmp_path, files) == {".firebaserc", "package.json"}

    def test_with_several_codebases_gets_what_the_python_one_lacks(self, tmp_path):
        codebases = [
            {"source": "web", "codebase": "default", "runtime": "nodejs20"},
            {"source": "backend/py", "codebase": "backend", "runtime": "python311"},
        ]
        files = {
            "firebase.json": {"functions": codebases, "hosting": {"public": "x"}},
            "web/package.json": NODE,
            ".firebaserc": {"projects": {"staging": "our-staging", "default": "our-project"}},
            "backend/py/requirements.txt": "firebase-functions==0.6.0",
        }
        assert self.init(tmp_path, files) == {"package.json", "backend/py/main.py", "backend/py/.env"}

    def test_an_empty_list_of_functions_is_none(self, tmp_path):
        changed = self.init(tmp_path, {"firebase.json": {"functions": []}})
        assert changed >= {"firebase.json", "functions/main.py"}

    def test_a_package_json_keeps_its_form_and_what_it_says(self, tmp_path):
        before = '{\n    "name": "caf\u00e9",\n    "type": "module"\n}'
        files = {"package.json": before, "firebase.json": {"functions": []}}
        self.init(tmp_path, files)
        after = (tmp_path / "package.json").read_text()
        assert after.startswith(before.removesuffix("\n}"))
        assert set(json.loads(after)) == {"name", "type", "devDependencies", "optionalDependencies"}
        assert after.endswith("}")

    def test_a_module_beside_it_does_not_keep_the_suite_from_delivering(self, tmp_path):
        directory = copy_of_sample(tmp_path / "project")
        (directory / "scratch").mkdir()
        (directory / "package.json").write_text('{"type": "module"}')
        said(directory, "init")
        with running(directory) as suite:
            suite.database.document("orders/a").create({})
            eventually(lambda: "onorder event 200" in suite.lines.text("functions"))

    def test_without_node_or_npm_it_says_so(self, tmp_path):
        tools = tmp_path / "tools"
        tools.mkdir()
        text = said(tmp_path, "init", environment={"PATH": str(tools)})
        assert "Missing: Node is not installed: events need it. Install Node 20 or newer: " in text
        (tools / "node").symlink_to(shutil.which("node"))
        text = said(tmp_path, "init", environment={"PATH": str(tools)})
        assert "Missing: npm is not installed, which Node comes with. Install Node 20 or newer: " in text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (".firebaserc", {"projects": "x"}, "'projects' must map aliases to project ids."),
        (".firebaserc", {"projects": None}, "'projects' must map aliases to project ids."),
        ("package.json", {"devDependencies": None}, "'devDependencies' must be an object."),
        ("firebase.json", {"functions": "x"}, "'functions' must be an object or a list of objects."),
    ],
)
def test_init_of_a_project_with_a_file_of_another_shape_is_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(json.dumps(content))
    done = firesuite(tmp_path, "init")
    assert (done.returncode, done.stderr) == (1, f"firesuite: {tmp_path}/{name}: {sentence}\n")
    assert json.loads((tmp_path / name).read_text()) == content
