"""`make deploy`: what it refuses, in which order it deploys, and that it can be finished after any failure."""

import http.server
import json
import subprocess
import threading
from types import SimpleNamespace

import pytest
from tests.conftest import ROOT
from tests.deploy.conftest import make_environment
from tools.provision import REQUIRED, STEPS, carry_out
from tools.provision.cloud import CommandFailed, alone
from tools.release import Refused

from tools import release

VERSION = "0.1.0"


def git(root, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=root, check=True)


@pytest.fixture
def checkout(tmp_path):
    """A clean repository."""
    (tmp_path / "pyproject.toml").write_text(f'[project]\nversion = "{VERSION}"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## Unreleased\n\n## {VERSION} - 2026-12-01\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


class TestGuard:
    def test_a_clean_tree_goes_to_dev(self, checkout):
        assert release.guard(make_environment("dev"), checkout)

    @pytest.mark.parametrize("name", ["pyproject.toml", "new.py"])
    def test_a_change_that_is_not_committed(self, checkout, name):
        (checkout / name).write_text("x")
        with pytest.raises(Refused, match="not committed"):
            release.guard(make_environment("dev"), checkout)

    def test_production_without_a_tag(self, checkout):
        with pytest.raises(Refused, match=f"not tagged v{VERSION}"):
            release.guard(make_environment("production"), checkout)

    def test_production_with_a_tag_of_another_version(self, checkout):
        git(checkout, "tag", "v0.0.9")
        with pytest.raises(Refused, match=f"not tagged v{VERSION}"):
            release.guard(make_environment("production"), checkout)

    def test_production_after_the_tag(self, checkout):
        git(checkout, "tag", f"v{VERSION}")
        git(checkout, "commit", "--quiet", "--allow-empty", "-m", "second")
        with pytest.raises(Refused, match=f"not tagged v{VERSION}"):
            release.guard(make_environment("production"), checkout)

    def test_production_at_the_tag(self, checkout):
        git(checkout, "tag", "-a", f"v{VERSION}", "-m", "release")
        assert release.guard(make_environment("production"), checkout) == f"v{VERSION}"

    @pytest.mark.parametrize("said", ["## Unreleased\n", f"## {VERSION}1\n", f"it was {VERSION}\n"])
    def test_production_of_which_nobody_wrote_what_changed(self, checkout, said):
        (checkout / "CHANGELOG.md").write_text(said)
        git(checkout, "commit", "--quiet", "--all", "-m", "second")
        git(checkout, "tag", f"v{VERSION}")
        with pytest.raises(Refused, match=f"does not say what {VERSION} changed"):
            release.guard(make_environment("production"), checkout)


@pytest.fixture
def ready(google, cloud_of, environment):
    """A project that was provisioned, looked at by who deploys."""
    carry_out(cloud_of(environment), STEPS)
    return cloud_of(environment, apply=False)


class TestLook:
    def test_a_project_that_is_ready(self, ready):
        release.look(ready)

    def test_one_that_is_not(self, google, cloud_of, environment, ready):
        google.accounts.remove("fn-api@wattle-dev-1234.iam.gserviceaccount.com")
        google.policies.clear()
        with pytest.raises(Refused, match="`make provision PROJECT=dev`"):
            release.look(ready)

    def test_what_a_newer_version_was_granted_keeps_nobody_from_going_back(self, google, ready):
        member = "serviceAccount:fn-api@wattle-dev-1234.iam.gserviceaccount.com"
        google.policy.append({"role": "roles/pubsub.publisher", "members": [member]})
        release.look(ready)

    def test_an_empty_one(self, google, cloud_of, environment):
        with pytest.raises(Refused, match="not ready"):
            release.look(cloud_of(environment, apply=False))

    def test_another_environment(self, google, ready):
        google.labels = {"wattle-environment": "production"}
        with pytest.raises(Refused, match="says that it is production, not dev"):
            release.look(ready)

    def test_settings_of_another_project(self, ready):
        ready.environment.settings["APP_CHECK_PROJECT_NUMBER"] = "999"
        with pytest.raises(Refused, match="settings are of another project"):
            release.look(ready)

    def test_a_function_that_deploying_would_remove(self, google, ready):
        google.functions = ["api", "onceUponATime"]
        with pytest.raises(Refused, match="functions:delete onceUponATime"):
            release.look(ready)


@pytest.fixture
def answers():
    """The deployed API: what it answers next."""
    script = SimpleNamespace(status=200, body={"success": True, "data": {"version": "api-00001-abc"}})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/health/ready"
            self.send_response(script.status)
            self.end_headers()
            self.wfile.write(json.dumps(script.body).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def deployed(google, cloud_of, environment, answers, monkeypatch, ready):
    """Deploys, over `google`; `failing` names what fails."""
    names = [name.lower() for name in release._endpoints()]
    latest = [{"latestRevision": True, "percent": 100, "revisionName": "api-00001-abc"}]
    google.services = {name: {"url": answers.url, "policy": [], "traffic": latest} for name in names}
    google.indexes = [{"state": "READY", "polls": 3}, {"state": "READY", "polls": 0}]

    def run(command, **_):
        target = command[command.index("--only") + 1]
        google.calls.append(["firebase", *command[1:]])
        if target in deploy.failing:
            return subprocess.CompletedProcess(command, 1)
        google.deployments.append(target)
        return subprocess.CompletedProcess(command, 0)

    def deploy():
        google.deployments.clear()
        google.calls.clear()
        monkeypatch.setattr("tools.release.subprocess", SimpleNamespace(run=run))
        release.deploy(cloud_of(environment), "v0.1.0", pause=lambda _: None)

    deploy.failing = set()
    # cloud_of replaces `run` of the one subprocess module.
    return deploy


ORDER = ["firestore:rules", "firestore:indexes", "functions", "hosting"]


class TestDeploy:
    def test_in_the_order_in_which_one_needs_another(self, google, deployed, capsys):
        deployed()
        assert google.deployments == ORDER
        assert "revision api-00001-abc" in capsys.readouterr().out

    def test_functions_wait_for_their_indexes(self, google, deployed):
        deployed()
        polls = [n for n, call in enumerate(google.calls) if call[1:4] == ["firestore", "indexes", "composite"]]
        (functions,) = (n for n, call in enumerate(google.calls) if "functions" in call)
        assert len(polls) == 3
        assert max(polls) < functions

    def test_an_index_that_cannot_be_built(self, google, deployed):
        google.indexes = [{"state": "NEEDS_REPAIR", "polls": 0}]
        with pytest.raises(CommandFailed, match="NEEDS_REPAIR"):
            deployed()
        assert google.deployments == ORDER[:2]

    def test_an_index_that_is_never_built(self, google, deployed):
        google.indexes = [{"state": "CREATING", "polls": 10_000}]
        with pytest.raises(CommandFailed, match="No function was deployed"):
            deployed()
        assert google.deployments == ORDER[:2]

    def test_a_field_s_index_is_waited_for_as_well(self, google, deployed):
        google.fields = [{"indexConfig": {"indexes": [{"state": "CREATING"}]}}]
        with pytest.raises(CommandFailed, match="No function was deployed"):
            deployed()

    def test_by_the_alias_so_that_its_settings_are_read(self, google, deployed):
        deployed()
        deployments = [call for call in google.calls if call[:2] == ["firebase", "deploy"]]
        assert all("--project=dev" in call and "--message=v0.1.0" in call for call in deployments)

    def test_only_its_own_account_calls_a_function_that_takes_events(self, google, deployed):
        deployed()
        invokers = {name: one["policy"] for name, one in google.services.items() if one["policy"]}
        assert set(invokers) == {
            "onbroadcastwritten", "ondeadletterwritten", "ondevicewritten", "onnotificationwritten", "onorderwritten",
            "onuserwritten",
        }  # fmt: skip
        account = "serviceAccount:fn-on-order-written@wattle-dev-1234.iam.gserviceaccount.com"
        assert invokers["onorderwritten"] == [{"role": "roles/run.invoker", "members": [account]}]

    @pytest.mark.parametrize("target", ORDER)
    def test_what_fails_is_finished_by_the_next_run(self, google, deployed, target):
        deployed.failing = {target}
        with pytest.raises(CommandFailed, match=f"could not deploy {target}"):
            deployed()
        assert google.deployments == ORDER[: ORDER.index(target)]
        deployed.failing = set()
        deployed()
        assert google.deployments == ORDER

    def test_who_went_back_to_a_revision_is_told_that_it_is_still_the_one_that_answers(self, google, deployed):
        """As the page on bad deployments goes back: a deployment does not undo it."""
        google.services["onorderwritten"]["traffic"] = [
            {"percent": 100, "revisionName": "onorderwritten-00001-abc"},
            {"tag": "try", "latestRevision": True, "revisionName": "onorderwritten-00002-abc"},
        ]
        with pytest.raises(CommandFailed, match="not served: the requests of onorderwritten go") as refused:
            deployed()
        assert "update-traffic onorderwritten --to-latest --region" in str(refused.value)
        assert google.deployments == ORDER

    def test_an_api_that_does_not_answer(self, deployed, answers):
        answers.status = 503
        with pytest.raises(CommandFailed, match="Going back"):
            deployed()


class TestTheCommand:
    @pytest.fixture
    def said(self, monkeypatch, capsys):
        """Runs it up to what it says; `passing` is what the preflight gives."""

        def run(alias, *, passing=True, yes=False):
            monkeypatch.setattr(release.Environment, "load", lambda _: make_environment(alias))
            monkeypatch.setattr(release, "guard", lambda _: "v0.1.0")
            monkeypatch.setattr(release, "preflight", lambda *_, **__: 0 if passing else 1)
            monkeypatch.setattr(release, "deploy", lambda *_: pytest.fail("it deploys"))
            code = release.run(project=alias, yes=yes)
            return code, capsys.readouterr().err

        return run

    def test_an_alias_without_a_project(self, capsys):
        assert release.run(project="live", yes=False) == 1
        assert "'live' is no environment" in capsys.readouterr().err

    def test_a_failing_preflight(self, said):
        assert said("dev", passing=False) == (1, "deploy: The preflight fails.\nNothing was changed.\n")

    def test_production_is_asked_for(self, said, monkeypatch):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("builtins.input", lambda _: "wattle-staging-1234")
        code, err = said("production")
        assert (code, "not the id of the project" in err) == (1, True)

    def test_production_without_anybody_to_ask(self, said, monkeypatch):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
        code, err = said("production")
        assert (code, "say --yes" in err) == (1, True)

    def test_one_at_a_time(self):
        with alone(), pytest.raises(CommandFailed, match="runs already on this machine"), alone():
            pass


def test_what_is_looked_at_is_what_is_made():
    assert set(REQUIRED) < set(STEPS)


def test_the_order_is_that_of_the_docs():
    text = (ROOT / "docs" / "deploy.md").read_text()
    positions = [text.index(f"`firebase deploy --only {target}`") for target in ORDER]
    assert positions == sorted(positions)
