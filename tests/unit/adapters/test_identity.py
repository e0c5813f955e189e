"""Identity Toolkit: the emulator's answers, and those that only a scripted server gives."""

import uuid

import pytest
from tests.scripted import Answer

from wattle.adapters import identity_toolkit as identity
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import IdentityToolkit

SESSION = {"localId": "u1", "idToken": "t", "refreshToken": "r", "expiresIn": "3600"}
BLOCKED = "BLOCKING_FUNCTION_ERROR_RESPONSE"


@pytest.fixture
def accounts(backend):
    return Identity(IdentityToolkit(backend.project_id, "k", f"127.0.0.1:{backend.suite.ports.auth}"))


@pytest.fixture
def moody(scripted):
    return Identity(IdentityToolkit("demo-wattle", "secret-key", scripted.host))


@pytest.fixture
def email():
    return f"{uuid.uuid4().hex}@example.com"


class TestEmulator:
    def test_sign_up_sign_in_refresh(self, accounts, email):
        made = accounts.sign_up(email, "correct horse", "Alice")
        signed = accounts.sign_in(email, "correct horse")
        assert signed.uid == made.uid
        renewed = accounts.refresh(signed.refresh_token)
        assert (renewed.uid, renewed.expires_in) == (made.uid, 3600)
        assert renewed.id_token.count(".") == 2

    def test_refusals(self, accounts, email):
        accounts.sign_up(email, "correct horse", None)
        for call, error in (
            (lambda: accounts.sign_up(email, "correct horse", None), identity.EmailExists),
            (lambda: accounts.sign_up(f"x{email}", "short", None), identity.WeakPassword),
            (lambda: accounts.sign_up("no address", "correct horse", None), identity.InvalidEmail),
            (lambda: accounts.sign_in(email, "wrong"), identity.InvalidCredentials),
            (lambda: accounts.sign_in(f"x{email}", "correct horse"), identity.InvalidCredentials),
            (lambda: accounts.refresh("made up"), identity.InvalidRefreshToken),
        ):
            with pytest.raises(error):
                call()

    def test_an_account_as_it_is_now(self, accounts, backend):
        user = backend.user()
        before = accounts.account(user.uid)
        assert (before.uid, before.disabled) == (user.uid, False)
        backend.account(user.uid, disableUser=True)
        assert accounts.account(user.uid).disabled is True
        assert accounts.account("nobody") is None

    def test_all_that_there_is_of_somebody(self, moody, scripted):
        provider = {
            "providerId": "twitter.com",
            "rawId": "7",
            "federatedId": "http://twitter.com/7",
            "screenName": "mia",
        }
        factor = {"mfaEnrollmentId": "e", "enrolledAt": "2026-11-26T00:00:00Z", "totpInfo": {}}
        user = {"localId": "u1", "initialEmail": "old@b.co", "providerUserInfo": [provider], "mfaInfo": [factor]}
        scripted.answer = Answer(200, {"users": [user]})
        found = moody.account("u1")
        assert found.initial_email == "old@b.co"
        (where,) = found.providers
        assert (where.id, where.raw_id, where.federated_id) == ("twitter.com", "7", "http://twitter.com/7")
        assert (where.screen_name, where.email) == ("mia", None)
        assert found.second_factors == [(None, None, "2026-11-26T00:00:00Z")]

    def test_several_at_once_and_one_by_its_address(self, accounts, backend):
        one, other = backend.user(), backend.user()
        found = accounts.accounts([one.uid, "nobody", other.uid])
        assert {uid: account.email for uid, account in found.items()} == {one.uid: one.email, other.uid: other.email}
        assert accounts.accounts([]) == {}
        assert accounts.account_of(one.email).uid == one.uid
        assert accounts.account_of("nobody@example.com") is None

    def test_a_change_is_one(self, accounts, backend):
        user = backend.user()
        accounts.change(user.uid, claims={"role": "admin"}, valid_since=2_000_000_000, disabled=True)
        changed = accounts.account(user.uid)
        assert (changed.claims, changed.tokens_valid_after, changed.disabled) == (
            {"role": "admin"},
            2_000_000_000,
            True,
        )
        accounts.change(user.uid, disabled=False)
        changed = accounts.account(user.uid)
        assert (changed.claims, changed.tokens_valid_after, changed.disabled) == (
            {"role": "admin"},
            2_000_000_000,
            False,
        )
        with pytest.raises(identity.AccountMissing):
            accounts.change("nobody", disabled=True)

    def test_claims_have_a_longest(self, accounts, backend):
        user = backend.user()
        accounts.change(user.uid, claims={"a": "x" * 992})
        with pytest.raises(identity.ClaimsTooLong):
            accounts.change(user.uid, claims={"a": "x" * 993})
        assert accounts.account(user.uid).claims == {"a": "x" * 992}
        # Bytes of UTF-8, not of escapes.
        accounts.change(user.uid, claims={"a": "é" * 496})
        assert accounts.account(user.uid).claims == {"a": "é" * 496}

    def test_an_account_is_removed_once(self, accounts, backend):
        user = backend.user()
        accounts.delete(user.uid)
        accounts.delete(user.uid)
        assert accounts.account(user.uid) is None

    def test_a_disabled_account_signs_in_no_more(self, accounts, backend):
        user = backend.user()
        backend.account(user.uid, disableUser=True)
        with pytest.raises(identity.AccountDisabled):
            accounts.sign_in(user.email, "correct horse")


class TestAnswers:
    @pytest.mark.parametrize(
        ("message", "error"),
        [
            ("EMAIL_EXISTS", identity.EmailExists),
            ("ADMIN_ONLY_OPERATION", identity.SignUpClosed),
            ("EMAIL_NOT_FOUND", identity.InvalidCredentials),
            ("INVALID_PASSWORD", identity.InvalidCredentials),
            ("INVALID_LOGIN_CREDENTIALS", identity.InvalidCredentials),
            ("WEAK_PASSWORD : Password should be at least 6 characters", identity.WeakPassword),
            ("PASSWORD_DOES_NOT_MEET_REQUIREMENTS : Missing [upper]", identity.WeakPassword),
            ("CLAIMS_TOO_LARGE", identity.ClaimsTooLong),
            ("INVALID_EMAIL", identity.InvalidEmail),
            ("USER_DISABLED", identity.AccountDisabled),
            ("TOKEN_EXPIRED", identity.SessionEnded),
            ("CREDENTIAL_TOO_OLD_LOGIN_AGAIN", identity.SessionEnded),
            ("USER_NOT_FOUND", identity.AccountMissing),
            ("TENANT_ID_MISMATCH", identity.SessionEnded),
            ("PROJECT_NUMBER_MISMATCH", identity.InvalidRefreshToken),
            ("MISSING_EMAIL", identity.EmailMissing),
            ("INVALID_RECIPIENT_EMAIL", identity.InvalidEmail),
            (
                f'{BLOCKED} : HTTP Cloud Function returned an error: {{"error":{{"status":"ABORTED"}}}}',
                identity.Blocked,
            ),
            ("TOO_MANY_ATTEMPTS_TRY_LATER : Access to this account has been disabled", identity.TooManyAttempts),
        ],
    )
    def test_each_refusal_has_its_class(self, moody, scripted, message, error):
        scripted.answer = Answer(400, {"error": {"code": 400, "message": message}})
        with pytest.raises(error) as caught:
            moody.sign_in("a@b.co", "p")
        assert str(caught.value) == (message.partition(" : ")[2] or message)

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(500, b"<html>"),
            Answer(400, {"error": {"message": "SOMETHING_NEW"}}),
            Answer(400, {"error": {"message": 3}}),
            Answer(400, []),
            # Of the project's settings, and of a blocking function that is not there or crashed.
            Answer(400, {"error": {"message": "OPERATION_NOT_ALLOWED"}}),
            Answer(400, {"error": {"message": "PASSWORD_LOGIN_DISABLED"}}),
            Answer(400, {"error": {"message": f"{BLOCKED} : 404 Page not found"}}),
            Answer(400, {"error": {"message": f'{BLOCKED} : {{"error":{{"status":"INTERNAL"}}}}'}}),
            Answer(403, {"error": {"message": "API key not valid. Please pass a valid API key."}}),
            Answer(200, []),
            Answer(200, b""),
            Answer(hang_up=True),
        ],
    )
    def test_anything_else_is_unavailable_and_gives_nothing_away(self, moody, scripted, answer):
        scripted.answer = answer
        with pytest.raises(identity.IdentityUnavailable) as caught:
            moody.sign_in("alice@example.com", "hush")
        told = f"{caught.value!r} {caught.value.__cause__!r}"
        assert not [secret for secret in ("secret-key", "alice", "hush") if secret in told]

    @pytest.mark.parametrize("body", [{}, {**SESSION, "expiresIn": "soon"}, {"user_id": "u1"}])
    def test_an_answer_without_its_members_is_unavailable(self, moody, scripted, body):
        scripted.answer = Answer(200, body)
        for call in (lambda: moody.sign_in("a@b.co", "p"), lambda: moody.refresh("r")):
            with pytest.raises(identity.IdentityUnavailable):
                call()

    def test_a_second_factor_is_no_failure_of_google(self, moody, scripted):
        pending = {"localId": "u1", "registered": True, "mfaPendingCredential": "c", "mfaInfo": [{"totpInfo": {}}]}
        scripted.answer = Answer(200, pending)
        with pytest.raises(identity.SecondFactorPending):
            moody.sign_in("a@b.co", "p")

    def test_the_key_goes_along(self, moody, scripted):
        scripted.answer = Answer(200, SESSION)
        assert moody.sign_in("a@b.co", "p").uid == "u1"
        assert scripted.requests[0][0].endswith("accounts:signInWithPassword?key=secret-key")
