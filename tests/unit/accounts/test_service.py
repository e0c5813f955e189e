"""Nobody finds out whether an address has an account: not by the answer, not by how long it takes.

What Identity Toolkit would say is scripted here, because its emulators know only some of it.
"""

from types import SimpleNamespace

import pytest

from wattle.accounts.schemas import ChangeAddress, Login, Refresh, Register
from wattle.accounts.service import AccountService
from wattle.adapters import identity_toolkit as toolkit
from wattle.adapters.identity import Session
from wattle.adapters.keys import KeysUnavailable
from wattle.context import Caller, Context, Role
from wattle.errors import WattleError
from wattle.kit.pace import Pace
from wattle.kit.retry import Deadline

SESSION = Session("u1", "id-token", "refresh-token", 3600)
REGISTER = Register.model_validate({"email": "a@b.co", "password": "12345678"})
LOGIN = Login.model_validate({"email": "a@b.co", "password": "12345678"})
ADDRESS = ChangeAddress.model_validate({"email": "a@b.co"})
CALLER = Caller(uid="u1", role=None, auth_time=0, email="me@b.co", id_token="t")
CONTEXT = Context("r", Deadline.after(600), CALLER)


class Scripted:
    """Identity Toolkit: `raises` says by method what fails; it notes its calls, and takes as long as it is told."""

    def __init__(self, time) -> None:
        self.raises = {}
        self.calls = []
        self.seconds = {}
        self._time = time

    def __getattr__(self, method):
        def call(*_):
            self.calls.append(method)
            self._time.monotonic += self.seconds.get(method, 0.1)
            if method in self.raises:
                raise self.raises[method]
            return SESSION

        return call


class Verifier:
    verified = True
    role = None
    error = None

    def verify(self, _token):
        if self.error:
            raise self.error
        return SimpleNamespace(email_verified=self.verified, account_state=None, role=self.role)


@pytest.fixture
def identity(time):
    return Scripted(time)


@pytest.fixture
def verifier():
    return Verifier()


@pytest.fixture
def accounts(identity, verifier, time):
    pace = Pace(1.5, monotonic=time.steady, pause=time.pause)
    return AccountService(
        identity, verifier, control=None, deletion=None, devices=None, pace=pace, confirmed_registration=True
    )


def outcome(call, time):
    """What a caller learns: the refusal, and when the answer comes."""
    started = time.monotonic
    time.pauses.clear()
    try:
        code = call() and "a session"
    except WattleError as error:
        code = (error.code, error.message, error.errors)
    return code, round(time.monotonic - started + sum(time.pauses), 3)


class TestRegister:
    def register(self, accounts, time):
        return outcome(lambda: accounts.register(REGISTER), time)

    def test_a_free_and_a_taken_address(self, accounts, identity, time):
        free = self.register(accounts, time)
        calls = len(identity.calls)
        identity.raises["sign_up"] = toolkit.EmailExists("EMAIL_EXISTS")
        identity.seconds["sign_up"] = 0.01  # nothing to hash
        assert self.register(accounts, time) == free == (None, 1.5)
        assert identity.calls == ["sign_up", "mail_verification", "sign_up", "mail_password_reset"]
        assert calls == 2

    @pytest.mark.parametrize("error", [toolkit.TooManyAttempts("x"), toolkit.AccountDisabled("x")])
    def test_mail_that_only_some_accounts_are_refused(self, accounts, identity, time, error):
        identity.raises |= {"sign_up": toolkit.EmailExists("x"), "mail_password_reset": error}
        assert self.register(accounts, time) == (None, 1.5)

    def test_what_is_wrong_with_any_address_is_told(self, accounts, identity, time):
        for error, code in ((toolkit.SignUpClosed("x"), "REGISTRATION_CLOSED"),
                            (toolkit.Blocked("x"), "REGISTRATION_CLOSED"),
                            (toolkit.WeakPassword("Missing [upper]"), "WEAK_PASSWORD"),
                            (toolkit.InvalidEmail("x"), "VALIDATION_FAILED"),
                            (toolkit.IdentityUnavailable("x"), "UNAVAILABLE")):  # fmt: skip
            identity.raises["sign_up"] = error
            told, seconds = self.register(accounts, time)
            assert (told[0].name, seconds) == (code, 1.5)

    def test_mail_that_was_not_sent_is_sent_by_repeating_it(self, accounts, identity, time):
        identity.raises["mail_verification"] = toolkit.IdentityUnavailable("x")
        assert self.register(accounts, time)[0][0].name == "UNAVAILABLE"
        identity.raises = {"sign_up": toolkit.EmailExists("x")}
        assert self.register(accounts, time) == (None, 1.5)
        assert identity.calls[-1] == "mail_password_reset"


class TestLogin:
    def sign_in(self, accounts, time, **context):
        return outcome(lambda: accounts.sign_in(CONTEXT._replace(**context), LOGIN), time)

    def test_every_refusal_is_the_same(self, accounts, identity, verifier, time):
        told = []
        for error, seconds in ((toolkit.InvalidCredentials("EMAIL_NOT_FOUND"), 0.01),
                               (toolkit.InvalidCredentials("INVALID_PASSWORD"), 0.4),
                               (toolkit.AccountDisabled("x"), 0.02),
                               (toolkit.Blocked("x"), 0.4),
                               (toolkit.TooManyAttempts("x"), 0.01)):  # fmt: skip
            identity.raises["sign_in"], identity.seconds["sign_in"] = error, seconds
            told.append(self.sign_in(accounts, time))
        identity.raises, verifier.verified = {}, False
        told.append(self.sign_in(accounts, time))
        assert told == [told[0]] * 6
        assert told[0][0][0].name == "INVALID_CREDENTIALS"
        assert told[0][1] == 1.5
        assert identity.calls == ["sign_in"] * 6

    def test_a_second_factor_is_told_as_late_as_any_refusal(self, accounts, identity, time):
        identity.raises["sign_in"] = toolkit.SecondFactorPending("x")
        told, seconds = self.sign_in(accounts, time)
        assert (told[0].name, told[0].status, seconds) == ("MULTI_FACTOR_AUTH_REQUIRED", 403, 1.5)

    def test_without_google_s_certificates_nobody_can_tell(self, accounts, verifier, time):
        verifier.error = KeysUnavailable("x")
        assert self.sign_in(accounts, time)[0][0].name == "UNAVAILABLE"

    def test_who_is_not_meant_is_told_no_more_than_with_a_wrong_password(self, accounts, identity, verifier, time):
        only = Role.ADMIN
        right = self.sign_in(accounts, time, only=only)
        identity.raises["sign_in"], identity.seconds["sign_in"] = toolkit.InvalidCredentials("x"), 0.01
        assert self.sign_in(accounts, time, only=only) == right
        assert right[1] == 1.5
        identity.raises, verifier.role = {}, "admin"
        assert self.sign_in(accounts, time, only=only)[0] == "a session"

    def test_a_success_does_not_wait(self, accounts, time):
        assert self.sign_in(accounts, time) == ("a session", 0.1)


class TestMail:
    @pytest.mark.parametrize(
        "error",
        [None, toolkit.InvalidCredentials("x"), toolkit.TooManyAttempts("x"), toolkit.AccountDisabled("x")],
    )
    def test_password_reset(self, accounts, identity, time, error):
        if error:
            identity.raises["mail_password_reset"] = error
        assert outcome(lambda: accounts.mail_password_reset("a@b.co"), time) == (None, 1.5)
        assert len(identity.calls) == 1

    @pytest.mark.parametrize("error", [None, toolkit.EmailExists("x"), toolkit.TooManyAttempts("x")])
    def test_change_of_address(self, accounts, identity, time, error):
        if error:
            identity.raises["mail_address_change"] = error
        assert outcome(lambda: accounts.change_address(CONTEXT, ADDRESS), time) == (None, 1.5)
        assert len(identity.calls) == 1

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (toolkit.SessionEnded("x"), "TOKEN_REVOKED"),
            (toolkit.AccountMissing("x"), "TOKEN_REVOKED"),
            (toolkit.EmailMissing("x"), "EMAIL_MISSING"),
        ],
    )
    def test_what_is_wrong_with_the_caller_is_told_whatever_the_address(self, accounts, identity, time, error, code):
        identity.raises["mail_address_change"] = error
        told, seconds = outcome(lambda: accounts.change_address(CONTEXT, ADDRESS), time)
        assert (told[0].name, seconds) == (code, 1.5)


def test_a_refresh_token_of_another_project_is_none(accounts, identity):
    identity.raises["refresh"] = toolkit.InvalidRefreshToken("PROJECT_NUMBER_MISMATCH")
    with pytest.raises(WattleError) as caught:
        accounts.refresh(CONTEXT, Refresh.model_validate({"refreshToken": "r"}))
    assert caught.value.code.name == "INVALID_REFRESH_TOKEN"
