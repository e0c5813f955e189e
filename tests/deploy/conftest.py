"""An environment to provision, and a Google Cloud to provision it in."""

import json
import subprocess

import pytest
import yaml
from tests.conftest import ROOT
from tests.deploy.google_cloud import GoogleCloud, Refused
from tools.environments import Environment
from tools.provision.cloud import Cloud


@pytest.fixture
def environment():
    return make_environment("dev")


def make_environment(alias, **changed):
    project = yaml.safe_load((ROOT / "ops" / "environments" / f"{alias}.yaml").read_text())
    filled = {
        "billingAccount": "0A1B2C-3D4E5F-6A7B8C",
        "alertEmail": "oncall@example.com",
        "apps": {"ios": "com.example.wattle", "android": "com.example.wattle"},
        "github": "example/wattle",
    }
    settings = {"WEB_API_KEY": "the-web-api-key"}
    return Environment(alias, "wattle-dev-1234", settings, project | filled | changed)


@pytest.fixture
def google():
    return GoogleCloud()


@pytest.fixture
def cloud_of(google, monkeypatch):
    """Makes what provisions, over `google`; `before` and `after` are called around each command."""

    def make(environment, *, apply=True, before=lambda _: None, after=lambda _: None):
        def run(command, **how):
            program = "firebase" if command[0].endswith("firebase") else "gcloud"
            before(command)
            try:
                said = google.call(program, command[1:], how.get("input"))
                done = subprocess.CompletedProcess(command, 0, said, "")
            except Refused as refusal:
                done = subprocess.CompletedProcess(command, 1, "", str(refusal))
            after(command)
            return done

        monkeypatch.setattr("tools.provision.cloud.subprocess.run", run)
        return Cloud(environment, apply=apply, pause=lambda _: None, rest=google.rest)

    return make


def as_json(google):
    """What was made, without what was said on the way."""
    kept = {name: value for name, value in vars(google).items() if not name.startswith("_")}
    return json.dumps({name: value for name, value in kept.items() if name not in ("calls", "new", "deployments")})
