"""The address that Hosting gives the API: firebase.json's rewrites, as the local Hosting serves them."""

import httpx
import pytest


@pytest.fixture(scope="module")
def site(backend):
    with httpx.Client(base_url=backend.suite.services()["Hosting"]) as client:
        yield client


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/v1/openapi.json", "/docs"])
def test_the_api_answers_there(site, path):
    answer = site.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"]


def test_who_is_signed_in_there_is_known(site, user):
    answer = site.get("/v1/users/me", headers=user.headers)
    assert answer.json()["data"]["email"] == user.email


def test_what_is_not_the_api_is_not_found(site):
    answer = site.get("/admin.php")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
