"""`tools doctor --deploy`: each check passes here, and fails on a tree with the one thing wrong that it is for."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.conftest import ROOT
from tools.doctor import code, requirements, secrets, settings, upload
from tools.doctor.report import Check, Checkout, Problem
from tools.environments import Environment, UnknownEnvironment

from firesuite import dotenv
from tools import doctor, environments

SETTINGS = dotenv.read(ROOT / "functions" / ".env") | {"WEB_API_KEY": "public"}


def checkout_of(root, alias="staging", **changed):
    environment = Environment(alias, f"wattle-{alias}-1234", SETTINGS | changed, {})
    # Other tests may have started a suite.
    variables = {name: value for name, value in os.environ.items() if "EMULATOR" not in name}
    return Checkout(root, Path(sys.executable), (environment,), variables)


@pytest.fixture
def tree(tmp_path):
    """A copy of what git keeps, to break something in."""
    root = tmp_path / "tree"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("bench/", "docs/")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def only(problems, wrong):
    """The one problem, which says what is wrong and what to do."""
    (problem,) = problems
    assert wrong in problem.wrong, problem
    assert problem.mend
    return problem


@pytest.mark.parametrize(
    "check",
    [check for check in doctor.CHECKS if check.look not in (code.rules, code.indexes, code.import_budget)],
    ids=lambda check: check.name,
)
def test_there_is_nothing_to_mend_here(check):
    """The checks that are left out run tests of this suite."""
    assert list(check.look(checkout_of(ROOT))) == []


class TestSettings:
    def test_an_emulator_variable_of_this_machine(self):
        checkout = replace(checkout_of(ROOT), variables={"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"})
        only(settings.emulator_variables(checkout), "FIRESTORE_EMULATOR_HOST is set")

    def test_an_emulator_variable_in_a_file(self, tree):
        (tree / "functions" / ".env.staging").write_text("FIREBASE_AUTH_EMULATOR_HOST=localhost:9099\n")
        only(settings.emulator_variables(checkout_of(tree)), "functions/.env.staging sets FIREBASE_AUTH_EMULATOR_HOST")

    def test_a_setting_that_is_missing(self):
        only(settings.complete(checkout_of(ROOT, WEB_API_KEY="")), "staging: WEB_API_KEY is not set")

    def test_a_setting_that_is_wrong(self):
        only(settings.complete(checkout_of(ROOT, ALLOWED_ORIGINS="example.com")), "ALLOWED_ORIGINS has 'example.com'")

    def test_production_does_not_tell_who_has_an_account(self):
        only(settings.complete(checkout_of(ROOT, "production", REGISTRATION="immediate")), "REGISTRATION=immediate")

    def test_no_file(self, tree):
        (tree / "functions" / ".env.staging").unlink()
        only(settings.complete(checkout_of(tree)), "functions/.env.staging is missing")

    def test_two_files_for_one_environment(self, tree):
        (tree / "functions" / ".env.wattle-staging-1234").write_text("LOG_LEVEL=INFO\n")
        only(settings.complete(checkout_of(tree)), "both functions/.env.staging and functions/.env.wattle-staging-1234")

    @pytest.mark.parametrize(
        ("line", "wrong"),
        [
            ("LOG_LEVLE=INFO", "sets LOG_LEVLE, which nothing reads"),
            ("SIGNING_SECRET=abc", "sets SIGNING_SECRET, which is a secret"),
            ("GCLOUD_PROJECT=p", "sets GCLOUD_PROJECT: firebase keeps that name"),
            ("FIREBASE_SOMETHING=p", "sets FIREBASE_SOMETHING: firebase keeps that name"),
            ("no assignment", "expected KEY=value"),
        ],
    )
    def test_a_line_that_firebase_or_nobody_takes(self, tree, line, wrong):
        (tree / "functions" / ".env.staging").write_text(f"{line}\n")
        only(settings.names(checkout_of(tree)), wrong)

    def test_threads_that_are_not_the_concurrency(self):
        only(settings.threads(checkout_of(ROOT, THREADS="8")), "THREADS is 8, the functions' concurrency 80")

    def test_every_setting_that_the_functions_read_is_in_the_example(self):
        source = (ROOT / "functions/wattle/config.py").read_text()
        known = settings._read_by_the_functions(checkout_of(ROOT))
        read = {word for word in source.replace('"', " ").replace("(", " ").replace(",", " ").split() if word in known}
        others = {"THREADS", "MAX_INSTANCES", "SIGNING_SECRET"}
        assert read | others == known | others


class TestRegions:
    @pytest.mark.parametrize(
        ("file", "old", "new", "wrong"),
        [
            (
                "functions/functions.yaml",
                "    - australia-southeast1\n    secret",
                "    - us-central1\n    secret",
                "us-",
            ),
            ("firebase.json", '"location": "australia-southeast1",', "", "puts the database in nam5"),
            ("firebase.json", '"location": "australia-southeast1"', '"location": "us-east1"', "database in us-east1"),
            ("firebase.json", '"api", "region": "australia-southeast1"', '"api"', "goes to us-central1"),
            ("firebase.json", '"functionId": "api"', '"functionId": "app"', "names app, which is no function"),
        ],
    )
    def test_something_is_elsewhere(self, tree, file, old, new, wrong):
        edit(tree / file, old, new)
        found = list(settings.regions(checkout_of(tree)))
        assert found
        assert all(wrong in problem.wrong for problem in found)


class TestSecrets:
    # Put together here, so that this file holds none.
    FOUND = (
        "-----BEGIN " + "PRIVATE KEY-----\n" + "a" * 64,
        '"private_key_id": "' + "0f" * 20 + '"',
        "AIza" + "x" * 35,
        "GOCSPX-" + "x" * 28,
        "1//0" + "x" * 60,
        "ghp_" + "x" * 36,
        "AKIA" + "X" * 16,
        "xoxb-" + "1" * 12,
        "SIGNING_SECRET=" + "0f" * 32,
    )

    @pytest.mark.parametrize("text", FOUND)
    def test_it_is_found_where_git_would_take_it(self, tree, text):
        (tree / "notes.md").write_text(f"first\n{text}\n")
        only(secrets.look(checkout_of(tree)), "notes.md, line 2, looks like")

    def test_what_git_leaves_alone_is_left_alone(self, tree):
        (tree / ".wattle").mkdir()
        (tree / ".wattle" / "alice").write_text(self.FOUND[0])
        assert list(secrets.look(checkout_of(tree))) == []

    def test_the_web_api_key_is_public(self, tree):
        (tree / "functions" / ".env.staging").write_text(f"WEB_API_KEY={self.FOUND[2]}\n")
        assert list(secrets.look(checkout_of(tree))) == []


class TestUpload:
    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("wattle/orders/test_orders.py", "is for tests"),
            ("wattle/fixtures/orders.py", "is for tests"),
            ("data.csv", "no function reads such a file"),
            (".DS_Store", "no function reads such a file"),
        ],
    )
    def test_a_file_that_should_not_be_deployed(self, tree, name, wrong):
        (tree / "functions" / name).parent.mkdir(exist_ok=True)
        (tree / "functions" / name).write_text("x")
        only(upload.look(checkout_of(tree)), wrong)

    def test_too_much(self, tree):
        (tree / "functions" / "wattle" / "big.binpb").write_bytes(bytes(2_000_000))
        problem = only(upload.look(checkout_of(tree)), "would be uploaded, more than")
        assert "functions/wattle/big.binpb with 2,000,000" in problem.wrong

    def test_a_link(self, tree):
        (tree / "functions" / "linked.py").symlink_to(tree / "functions" / "main.py")
        only(upload.look(checkout_of(tree)), "functions/linked.py is a symbolic link")

    def test_a_pattern_that_matches_nothing(self, tree):
        edit(tree / "firebase.json", '"*.po"', '"*.po", "wattle/*.md"')
        only(upload.look(checkout_of(tree)), "firebase.json ignores 'wattle/*.md'")

    def test_no_settings_are_uploaded(self):
        """firebase reads them and hands them over; those of other environments would lie beside the code."""
        assert [path.name for path in upload.files(ROOT) if path.name.startswith((".env", ".secret"))] == []


class TestRequirements:
    @pytest.mark.parametrize(
        ("old", "new", "wrong"),
        [
            ("pydantic==2.", "pydantic>=2.", "does not pin 'pydantic>=2."),
            ("flask-cors==6.0.5", "flask-cors==6.0.4", "deploys flask-cors 6.0.4, the tests ran with 6.0.5"),
        ],
    )
    def test_a_version_that_is_not_the_tested_one(self, tree, old, new, wrong):
        edit(tree / "functions" / "requirements.txt", old, new)
        assert any(wrong in problem.wrong for problem in requirements.pinned(checkout_of(tree)))

    def test_no_hash(self, tree):
        file = tree / "functions" / "requirements.txt"
        lines = file.read_text().splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("blinker=="))
        while lines[at + 1].startswith("    --hash"):
            del lines[at + 1]
        lines[at] = lines[at].removesuffix(" \\")
        file.write_text("\n".join(lines))
        only(requirements.pinned(checkout_of(tree)), "pins blinker without a hash")

    def test_one_is_missing(self, tree):
        """Nothing that is installed here makes up for it."""
        without(tree / "functions" / "requirements.txt", "flask")
        only(requirements.pinned(checkout_of(tree)), "lacks flask")
        keep_functions(tree, "api")
        problem = only(requirements.starts(checkout_of(tree)), "api does not start")
        assert "No module named 'flask'" in problem.wrong

    def test_what_all_functions_lack_is_one_thing_to_mend(self, tree):
        """Fifteen tracebacks of one missing package hid what else was wrong."""
        without(tree / "functions" / "requirements.txt", "flask")
        keep_functions(tree, "api", "purgeDaily")
        problem = only(requirements.starts(checkout_of(tree)), "api, purgeDaily do not start")
        assert problem.wrong.count("No module named 'flask'") == 1

    def test_before_any_environment_has_a_project(self, tree):
        """As in a fork, on GitHub: the functions are started all the same."""
        without(tree / "functions" / "requirements.txt", "flask")
        keep_functions(tree, "api")
        nowhere = replace(checkout_of(tree), environments=())
        only(requirements.starts(nowhere), "No module named 'flask'")

    def test_one_is_only_for_tests(self, tree):
        (block,) = (b for b in packages(tree / "requirements.txt") if b.startswith("iniconfig=="))
        file = tree / "functions" / "requirements.txt"
        file.write_text(file.read_text() + block)
        only(requirements.pinned(checkout_of(tree)), "has iniconfig, which nothing that is deployed needs")

    def test_a_file_that_is_not_uploaded(self, tree):
        edit(tree / "firebase.json", '"*.po"', '"*.po", "*.binpb"')
        keep_functions(tree, "api")
        problem = only(requirements.starts(checkout_of(tree)), "api does not start")
        assert "messages.binpb" in problem.wrong

    def test_a_function_that_answers_otherwise(self, tree):
        edit(tree / "functions" / "main.py", "import gc\n", 'import gc\nraise SystemExit("no\\nway")\n')
        keep_functions(tree, "onOrderWritten")
        only(requirements.starts(checkout_of(tree)), "onOrderWritten does not start")


def packages(path):
    """The text of each package of a requirements file."""
    found = []
    for line in path.read_text().splitlines(keepends=True):
        if line.startswith(" "):
            found[-1] += line
        else:
            found.append(line)
    return found


def without(path, package):
    kept = [text for text in packages(path) if not text.startswith(f"{package}==")]
    assert len(kept) == len(packages(path)) - 1
    path.write_text("".join(kept))


def keep_functions(tree, *names):
    path = tree / "functions" / "functions.yaml"
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(document | {"endpoints": {name: document["endpoints"][name] for name in names}}))


class TestCode:
    def test_a_manifest_of_other_code(self, tree):
        edit(tree / "functions" / "functions.yaml", "maxInstances: 5", "maxInstances: 50")
        only(code.manifest(checkout_of(tree)), "functions.yaml does not match main.py")

    def test_a_function_without_an_account(self, tree):
        edit(tree / "ops" / "accounts.yaml", "  fn-purge-daily:\n", "  fn-other:\n")
        missing, unused = code.accounts(checkout_of(tree))
        assert missing.wrong == "purgeDaily runs as fn-purge-daily, which is not in ops/accounts.yaml"
        assert unused.wrong == "ops/accounts.yaml has fn-other, which no function runs as"

    def test_an_import_too_many(self, tree):
        edit(tree / "functions" / "main.py", "import gc\n", "import gc\nimport unittest\n")
        only(code.import_budget(checkout_of(tree)), "test_import_budget.py")

    def test_rules_that_do_not_compile(self, tree):
        edit(tree / "rules" / "firestore.rules", "service cloud.firestore {", "service cloud.firestore")
        only(code.rules(checkout_of(tree)), "rules lint")

    def test_rules_that_let_others_read(self, tree):
        rules = tree / "rules" / "firestore.rules"
        edit(rules, "match /orders/{orderId} {", "match /orders/{orderId} {\n      allow get: if request.auth != null;")
        only(code.rules(checkout_of(tree)), "test_wattle_matrix.py")

    def test_a_query_without_its_index(self, tree):
        edit(tree / "firestore.indexes.json", '"fieldPath": "target"', '"fieldPath": "other"')
        only(code.indexes(checkout_of(tree)), "test_indexes.py")


class TestEnvironments:
    @pytest.fixture
    def projects(self, tmp_path):
        """Writes a .firebaserc."""

        def write(**projects):
            (tmp_path / ".firebaserc").write_text(json.dumps({"projects": projects}))
            return tmp_path

        return write

    @pytest.mark.parametrize(
        ("alias", "project_id", "wrong"),
        [
            ("production", "CHANGE-ME-production", "has no project yet"),
            ("production", "demo-wattle", "for emulators only"),
            ("production", "wattle-dev", "are one project"),
            ("prod", "wattle-prod", "'live' is no environment: it must be one of dev, prod"),
        ],
    )
    def test_what_cannot_be_deployed_to(self, projects, alias, project_id, wrong):
        root = projects(default="demo-wattle", dev="wattle-dev", **{alias: project_id})
        with pytest.raises(UnknownEnvironment, match=wrong):
            Environment.load("live" if alias == "prod" else alias, root)

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            (None, "ops/environments/dev.yaml cannot be read"),
            ("budget: [", "ops/environments/dev.yaml cannot be read"),
            ("budget: {}", "ops/environments/dev.yaml lacks alertEmail, apps, billingAccount, firestore, github"),
        ],
    )
    def test_a_file_that_does_not_say_what_it_should(self, projects, text, wrong):
        root = projects(dev="wattle-dev")
        if text is not None:
            (root / "ops" / "environments").mkdir(parents=True)
            (root / "ops" / "environments" / "dev.yaml").write_text(text)
        with pytest.raises(UnknownEnvironment, match=wrong):
            Environment.load("dev", root)

    @pytest.mark.parametrize("alias", sorted(environments.aliases()))
    def test_each_has_its_files(self, alias):
        assert (ROOT / "functions" / f".env.{alias}").is_file()
        document = yaml.safe_load((ROOT / "ops" / "environments" / f"{alias}.yaml").read_text())
        assert set(document) == {"billingAccount", "budget", "alertEmail", "firestore", "apps", "github"}


@pytest.mark.parametrize("name", ["firebase.json", ".firebaserc", "firestore.indexes.json", "package.json"])
def test_no_key_is_there_twice(name):
    """The second silently takes the place of the first."""

    def once(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads((ROOT / name).read_text(), object_pairs_hook=once)


class TestTheCommand:
    def test_it_says_what_is_wrong_and_what_to_do(self, monkeypatch, capsys):
        found = Problem("the sea is dry", "wait for rain")
        checks = (Check("the sea", lambda _: [found]), Check("the sky", lambda _: []))
        monkeypatch.setattr(doctor, "CHECKS", checks)
        monkeypatch.setattr(doctor, "_checkout", lambda _: checkout_of(ROOT))
        assert doctor.run(deploy=True, project=None) == 1
        said = capsys.readouterr().out
        assert "FAILED   the sea: the sea is dry\n         To mend it: wait for rain.\n" in said
        assert "ok       the sky" in said

    def test_a_check_that_fails_itself_is_no_pass(self, monkeypatch, capsys):
        def broken(_):
            raise FileNotFoundError("firebase.json")

        monkeypatch.setattr(doctor, "CHECKS", (Check("the files", broken),))
        monkeypatch.setattr(doctor, "_checkout", lambda _: checkout_of(ROOT))
        assert doctor.run(deploy=True, project=None) == 1
        assert "the check itself failed" in capsys.readouterr().out

    def test_an_alias_that_is_none(self, capsys):
        assert doctor.run(deploy=True, project="live") == 1
        assert "'live' is no environment" in capsys.readouterr().err

    def test_a_laptop(self):
        done = subprocess.run(
            [sys.executable, "-m", "tools", "doctor"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert "ok       fireemu" in done.stdout
