"""`make admin`: the first administrator."""

import json

import pytest
from tools.administrator import appoint
from tools.provision.cloud import CommandFailed

ADDRESS = "you@example.com"


@pytest.fixture
def account(google):
    google.users.append({"localId": "u1", "email": "other@example.com", "emailVerified": True})
    google.users.append({"localId": "u2", "email": ADDRESS, "emailVerified": True, "customAttributes": '{"plan": "x"}'})
    return google.users[-1]


def test_whoever_proved_his_address_is_made_one_and_keeps_his_other_claims(google, cloud_of, environment, account):
    assert appoint(cloud_of(environment), ADDRESS) == (
        f"{ADDRESS} is an administrator of wattle-dev-1234 with the next sign-in or refresh."
    )
    assert json.loads(account["customAttributes"]) == {"plan": "x", "role": "admin"}
    assert "customAttributes" not in google.users[0]
    assert appoint(cloud_of(environment), ADDRESS) == f"{ADDRESS} is an administrator of wattle-dev-1234 already."


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"emailVerified": False}, "is not proven"), ({"disabled": True}, "is disabled"), ({"email": "x"}, "register")],
)
def test_nobody_else(cloud_of, environment, account, changes, said):
    account.update(changes)
    with pytest.raises(CommandFailed, match=said):
        appoint(cloud_of(environment), ADDRESS)
    assert json.loads(account["customAttributes"]) == {"plan": "x"}
