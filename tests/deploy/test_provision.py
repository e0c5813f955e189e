"""`make provision`: everything from an empty project; twice is once; killed anywhere, the next run finishes."""

import json
import os
import re
import subprocess
import sys
import time

import pytest
import yaml
from tests.conftest import ROOT
from tests.deploy.conftest import as_json, make_environment
from tests.deploy.google_cloud import GoogleCloud, Refused
from tools.provision import STEPS, carry_out, identities, pipeline, project
from tools.provision.cloud import Cloud, CommandFailed


@pytest.fixture
def done(cloud_of, environment):
    """A project that was provisioned."""
    cloud = cloud_of(environment)
    carry_out(cloud, STEPS)
    return cloud


def bindings(policy):
    return {(one["role"], member) for one in policy for member in one["members"]}


def member(name):
    return f"serviceAccount:{name}@wattle-dev-1234.iam.gserviceaccount.com"


class TestAnEmptyProject:
    def test_each_account_has_exactly_the_roles_that_are_declared(self, done, google):
        have = bindings(google.policy)
        for name, account in identities.declared()["accounts"].items():
            roles = {role.removeprefix("projects/wattle-dev-1234/roles/") for role, who in have if who == member(name)}
            assert roles == set(account["roles"]), name

    def test_each_function_s_account_is_made_and_reads_the_secret(self, done, google):
        functions = yaml.safe_load((ROOT / "functions/functions.yaml").read_text())["endpoints"]
        wanted = {
            endpoint["serviceAccountEmail"].replace("{{ params.PROJECT_ID }}", "wattle-dev-1234")
            for endpoint in functions.values()
        }
        assert len(wanted) == len(functions)
        assert wanted < set(google.accounts)
        readers = {who.partition(":")[2] for _, who in bindings(google.secrets["SIGNING_SECRET"]["policy"])}
        assert readers == wanted

    def test_the_secret_is_long_and_was_made_by_chance(self, done, google, cloud_of, environment):
        (version,) = google.secrets["SIGNING_SECRET"]["versions"]
        assert re.fullmatch("[0-9a-f]{64}", version)
        assert version not in json.dumps(google.calls)

    def test_who_enqueues_acts_as_itself_and_nobody_else_does(self, done, google):
        own = {
            account
            for account, policy in google.policies.items()
            if ("roles/iam.serviceAccountUser", f"serviceAccount:{account}") in bindings(policy)
        }
        assert {account.partition("@")[0] for account in own} == {
            "fn-on-broadcast-written",
            "fn-on-dead-letter-written",
            "fn-sweep-pushes",
        }

    def test_the_database_is_in_sydney(self, done, google):
        (database,) = google.databases
        assert (database["locationId"], database["type"]) == ("australia-southeast1", "FIRESTORE_NATIVE")

    def test_production_can_be_restored_and_not_be_deleted(self, cloud_of, google):
        production = make_environment("production")
        carry_out(cloud_of(production), STEPS)
        (database,) = google.databases
        assert database["pointInTimeRecoveryEnablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
        assert database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"
        assert {key for one in google.schedules for key in one if key.endswith("Recurrence")} == {
            "dailyRecurrence",
            "weeklyRecurrence",
        }

    def test_everything_of_ops_is_there(self, done, google):
        def stems(folder):
            return {path.stem for path in (ROOT / "ops" / folder).iterdir()}

        assert set(google.metrics) == stems("metrics")
        assert len(google.alerts) == len(stems("alerts"))
        assert len(google.dashboards) == len(stems("dashboards"))
        assert all(alert["notificationChannels"] == [google.channels[0]["name"]] for alert in google.alerts)
        (budget,) = google.budgets
        assert budget["amount"]["specifiedAmount"] == {"currencyCode": "AUD", "units": "50"}

    def test_github_deploys_from_the_environment_of_this_name_only(self, done, google):
        (provider,) = google.providers
        assert provider["attributeCondition"] == "assertion.repository == 'example/wattle'"
        # Of the claims that are the same for old and new repositories.
        assert provider["attributeMapping"] == {
            "google.subject": "assertion.sub",
            "attribute.deployment": "assertion.repository+':'+assertion.environment",
        }
        pool = "projects/123456789012/locations/global/workloadIdentityPools/github"
        deployer = google.policies[f"{pipeline.DEPLOYER}@wattle-dev-1234.iam.gserviceaccount.com"]
        assert bindings(deployer) == {
            (
                "roles/iam.workloadIdentityUser",
                f"principalSet://iam.googleapis.com/{pool}/attribute.deployment/example/wattle:dev",
            )
        }

    def test_who_deploys_may_not_grant_read_secrets_or_read_documents(self, done, google):
        roles = {role for role, who in bindings(google.policy) if who == member(pipeline.DEPLOYER)}
        assert {role.removeprefix("projects/wattle-dev-1234/roles/") for role in roles} == set(pipeline.ROLES)
        assert not roles & {
            "roles/owner",
            "roles/editor",
            "roles/datastore.user",
            "roles/firebase.viewer",
            "roles/secretmanager.secretAccessor",
        }
        assert not any("projectIamAdmin" in role or "securityAdmin" in role for role in roles)

    def test_apps_and_the_site_are_there(self, done, google):
        assert [(app["platform"], app["namespace"]) for app in google.apps] == [
            ("WEB", None),
            ("IOS", "com.example.wattle"),
            ("ANDROID", "com.example.wattle"),
        ]
        assert google.sites == ["wattle-dev-1234"]

    def test_who_deploys_acts_as_app_engine_s_account_where_there_is_one(self, google, cloud_of, environment):
        """firebase-tools demands it of older projects."""
        theirs = "wattle-dev-1234@appspot.gserviceaccount.com"
        google.accounts.append(theirs)
        assert carry_out(cloud_of(environment), STEPS)
        assert ("roles/iam.serviceAccountUser", member(pipeline.DEPLOYER)) in bindings(google.policies[theirs])

    def test_without_a_role_on_the_billing_account_only_the_budget_is_missing(
        self, google, cloud_of, environment, monkeypatch
    ):
        def refuse(*_):
            raise Refused("ERROR: PERMISSION_DENIED: The caller does not have permission")

        with monkeypatch.context() as patch:
            patch.setattr(google, "_billing_budgets_list", refuse)
            with pytest.raises(CommandFailed, match="PERMISSION_DENIED"):
                carry_out(cloud_of(environment), STEPS)
        assert google.providers
        again = cloud_of(environment)
        carry_out(again, STEPS)
        assert again.changes == ["budget of 50 AUD a month"]


class TestAgain:
    def test_a_second_run_changes_nothing(self, done, google, cloud_of, environment):
        before = as_json(google)
        google.calls.clear()
        again = cloud_of(environment)
        assert carry_out(again, STEPS)
        assert again.changes == []
        assert as_json(google) == before
        reads = ("list", "describe", "get-iam-policy", "apps:sdkconfig", "apps:list", "projects:list")
        assert all(any(read in call or f"{read}" in " ".join(call) for read in reads) for call in google.calls)

    def test_killed_anywhere_it_is_finished_by_the_next(self, google, cloud_of, environment):
        """Before each command and after it: after it, nobody knows that it was done."""
        whole = GoogleCloud()
        finished = run_to_the_end(whole, environment, cloud_of, google)
        commands = len(finished["calls"])
        assert commands > 150
        for moment in range(0, commands, 3):
            for after in (False, True):
                reset(google)
                with pytest.raises(Killed):
                    carry_out(cloud_of(environment, **killer(moment, after=after)), STEPS)
                assert carry_out(cloud_of(environment), STEPS)
                assert comparable(google) == finished["state"], (moment, after)

    def test_what_a_file_says_now_is_changed(self, done, google, cloud_of):
        changed = make_environment("dev", budget={"amount": 75, "currency": "AUD"}, github="example/other")
        changed.project["firestore"]["deleteProtection"] = True
        changed.project["firestore"]["backups"] = {"daily": "3d"}
        again = cloud_of(changed)
        carry_out(again, STEPS)
        assert again.changes == [
            "Firestore: --delete-protection",
            "daily backups, kept 3d",
            "identity provider github, for example/other",
            again.changes[3],
            "budget of 75 AUD a month",
        ]
        assert "attribute.deployment/example/other:dev" in again.changes[3]

    def test_a_provider_that_goes_by_the_subject_is_mended(self, done, google, cloud_of, environment):
        google.providers[0]["attributeMapping"] = {"google.subject": "assertion.sub"}
        again = cloud_of(environment)
        carry_out(again, STEPS)
        assert again.changes == ["identity provider github, for example/wattle"]
        assert "attribute.deployment" in google.providers[0]["attributeMapping"]

    def test_a_role_too_many_is_taken_back(self, done, google, cloud_of, environment):
        google.policy.append({"role": "roles/editor", "members": [member("fn-api"), "user:somebody@example.com"]})
        again = cloud_of(environment)
        carry_out(again, STEPS)
        assert again.changes == ["take roles/editor from fn-api@wattle-dev-1234.iam.gserviceaccount.com"]
        assert google.policy[-1]["members"] == ["user:somebody@example.com"]

    def test_a_changed_alert_dashboard_or_metric_is_applied(self, done, google, cloud_of, environment):
        google.alerts[0]["userLabels"] = {"wattle-file": "older"}
        google.dashboards[0]["labels"] = {}
        name = next(iter(google.metrics))
        google.metrics[name]["description"] = "older"
        again = cloud_of(environment)
        carry_out(again, STEPS)
        assert sorted(change.split()[0] for change in again.changes) == ["alert", "dashboard", "metric"]
        last = cloud_of(environment)
        carry_out(last, STEPS)
        assert last.changes == []


class TestOnlyLooking:
    def test_nothing_is_changed(self, google, cloud_of, environment):
        before = as_json(google)
        google.billing = "paid"
        looking = cloud_of(environment, apply=False)
        assert not carry_out(looking, STEPS)
        assert len(looking.changes) == 2  # of APIs: the rest cannot be seen without them
        google.billing = None
        assert as_json(google) == before

    def test_every_change_is_named(self, done, google, cloud_of, environment):
        google.metrics.clear()
        google.secrets.clear()
        google.accounts.remove("fn-api@wattle-dev-1234.iam.gserviceaccount.com")
        before = as_json(google)
        looking = cloud_of(environment, apply=False)
        assert carry_out(looking, STEPS)
        assert "account fn-api" in looking.changes
        assert "secret SIGNING_SECRET" in looking.changes
        assert as_json(google) == before


class TestRefusals:
    def test_no_billing_account(self, cloud_of):
        with pytest.raises(CommandFailed, match=r"ops/environments/dev\.yaml"):
            carry_out(cloud_of(make_environment("dev", billingAccount="")), STEPS)

    def test_a_project_that_is_another_environment(self, google, cloud_of, environment):
        google.labels = {"wattle-environment": "production"}
        google.billing = "paid"
        with pytest.raises(CommandFailed, match="says that it is production, not dev"):
            carry_out(cloud_of(environment), STEPS)
        assert google.databases == []

    def test_a_database_elsewhere(self, google, cloud_of, environment):
        google.databases = [{"name": "x/databases/(default)", "locationId": "nam5", "type": "FIRESTORE_NATIVE"}]
        with pytest.raises(CommandFailed, match="FIRESTORE_NATIVE in nam5"):
            carry_out(cloud_of(environment), STEPS)

    def test_a_project_that_is_not_there(self, google, cloud_of, environment):
        google.project_id = "another"
        with pytest.raises(CommandFailed):
            carry_out(cloud_of(environment), STEPS)

    def test_no_gcloud(self, environment, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(CommandFailed, match=r"gcloud is not installed: see docs/deploy\.md"):
            project.billing(Cloud(environment, apply=True))


class TestTheCommand:
    """Real processes over stubs of gcloud and firebase on the PATH."""

    @pytest.fixture
    def provision(self, tmp_path):
        """Starts it in a process of its own, in a session of its own; `state` is what the stubs keep."""
        stubs = tmp_path / "bin"
        stubs.mkdir()
        for program in ("gcloud", "firebase"):
            stub = f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/deploy/google_cloud.py {program} "$@"\n'
            (stubs / program).write_text(stub)
            (stubs / program).chmod(0o755)
        driver = tmp_path / "provision.py"
        driver.write_text(
            "from pathlib import Path\n"
            "from tests.deploy.conftest import make_environment\n"
            "from tools.provision import REQUIRED, carry_out\n"
            "from tools.provision.cloud import Cloud\n"
            f"firebase = Path({str(stubs / 'firebase')!r})\n"
            "cloud = Cloud(make_environment('dev'), apply=True, firebase=firebase, pause=lambda _: None)\n"
            # Up to the roles: of what follows there is much, and all of one kind.
            "carry_out(cloud, REQUIRED[:8])\n"
            "print(len(cloud.changes), 'changed')\n"
        )
        state = tmp_path / "state.json"
        state.write_text("{}")
        variables = os.environ | {
            "PATH": f"{stubs}:{os.environ['PATH']}",
            "GOOGLE_CLOUD_STATE": str(state),
            "PYTHONPATH": f"{ROOT}:{ROOT}/functions",
        }

        def start():
            command = [sys.executable, driver]
            pipe = subprocess.PIPE
            return subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=pipe, stderr=pipe, text=True, start_new_session=True
            )

        start.state = lambda: json.loads(state.read_text() or "{}")
        return start

    def last_line(self, process):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out.splitlines()[-1]

    def test_killed_half_way_it_is_finished_and_then_there_is_nothing_left(self, provision):
        process = provision()
        # Each change is printed before it is made.
        for line in process.stdout:
            if line.startswith("+ Firestore"):
                break
        process.kill()
        process.communicate()
        # The command that it was at goes on without it.
        for _ in range(600):
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        assert not provision.state()["roles"]
        assert int(self.last_line(provision()).split()[0]) > 0
        state = provision.state()
        assert state["databases"]
        assert set(state["roles"]) == set(identities.declared()["customRoles"])
        assert self.last_line(provision()) == "0 changed"


class Killed(BaseException):
    """As a signal would: nothing catches it."""


def killer(moment, *, after):
    """Ends the run around the command of this number."""
    seen = []

    def count(when):
        def at(_):
            seen.append(when)
            if seen.count(when) == moment + 1:
                raise Killed

        return at

    return {"after": count("after")} if after else {"before": count("before")}


def reset(google):
    vars(google).clear()
    google.__init__()


def comparable(google):
    """Without what is chance or order."""
    state = json.loads(as_json(google))
    state["secrets"]["SIGNING_SECRET"]["versions"] = len(state["secrets"]["SIGNING_SECRET"]["versions"])

    def ordered(value):
        if isinstance(value, dict):
            return {key: ordered(member) for key, member in sorted(value.items())}
        if isinstance(value, list):
            return sorted((ordered(member) for member in value), key=lambda one: json.dumps(one, sort_keys=True))
        return value

    return ordered(state)


def run_to_the_end(_, environment, cloud_of, google):
    reset(google)
    carry_out(cloud_of(environment), STEPS)
    return {"calls": list(google.calls), "state": comparable(google)}
