from wattle.accounts.schemas import Login, Refresh, Register, SessionTokens
from wattle.adapters.identity import Session
from wattle.context import Context
from wattle.http.envelope import Reply
from wattle.services import Services


def register(services: Services, ctx: Context, body: Register) -> Reply[SessionTokens]:
    """Make an account and sign it in. The profile is made on first use."""
    return Reply(_tokens(services.accounts.register(body.email, body.password, body.display_name)), status=201)


def login(services: Services, ctx: Context, body: Login) -> SessionTokens:
    """Sign in with an address and a password."""
    return _tokens(services.accounts.sign_in(body.email, body.password))


def refresh(services: Services, ctx: Context, body: Refresh) -> SessionTokens:
    """Exchange a refresh token for a new ID token."""
    return _tokens(services.accounts.refresh(body.refresh_token))


def _tokens(session: Session) -> SessionTokens:
    return SessionTokens(
        uid=session.uid,
        id_token=session.id_token,
        refresh_token=session.refresh_token,
        expires_in=session.expires_in,
    )
