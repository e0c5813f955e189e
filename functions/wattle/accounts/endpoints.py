from wattle.accounts.schemas import Login, Refresh, Register, SessionTokens
from wattle.context import Context
from wattle.http.envelope import Reply
from wattle.services import Services


def register(services: Services, ctx: Context, body: Register) -> Reply[SessionTokens]:
    """Make an account and sign it in. The profile is made on first use."""
    return Reply(services.accounts.register(body), status=201)


def login(services: Services, ctx: Context, body: Login) -> SessionTokens:
    """Sign in with an address and a password."""
    return services.accounts.sign_in(body)


def refresh(services: Services, ctx: Context, body: Refresh) -> SessionTokens:
    """Exchange a refresh token for a new ID token."""
    return services.accounts.refresh(body)
