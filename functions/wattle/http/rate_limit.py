"""Rate limits of a route, and the headers that tell of them.

Source: draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy: "orders";q=30;w=60`, `RateLimit: "orders";r=29;t=2`.
"""

import ipaddress
from functools import cache

from werkzeug.wrappers import Request

from wattle.http.exchange import Exchange
from wattle.rate_limits.buckets import Standing
from wattle.rate_limits.policies import Policy
from wattle.rate_limits.service import RateLimited


def take_token(exchange: Exchange) -> None:
    """Count the request against its route's limit: for its user, or for its address where nobody is signed in.

    Raises:
        RateLimited.
    """
    if exchange.caller is not None:
        subject = f"user:{exchange.caller.uid}"
    else:
        subject = f"address:{client_address(exchange.request, exchange.services.config.trusted_proxies)}"
    try:
        standing = exchange.services.rate_limits.take(exchange.route.limit, subject)
    except RateLimited as error:
        _tell(exchange, error.standing)
        raise
    _tell(exchange, standing)


def _tell(exchange: Exchange, standing: Standing) -> None:
    exchange.headers["RateLimit-Policy"] = _policy(standing.policy)
    exchange.headers["RateLimit"] = f'"{standing.policy.name}";r={standing.remaining};t={standing.reset}'


@cache
def _policy(policy: Policy) -> str:
    return f'"{policy.name}";q={policy.quota};w={policy.window}'


def client_address(request: Request, trusted_proxies: int) -> str:
    """The network address of the client, of IPv6 its /64, which is what one subscriber has.

    Everything in `X-Forwarded-For` may be made up by the client, except what was appended after it: Google's front end
    appends the address that connected to it, and each proxy of our own behind that appends one more. So the client is
    the last entry, before those of `trusted_proxies` (an external Application Load Balancer appends its own address:
    1). Without the header, on a developer's machine, it is the address of the connection.

    Source: Cloud Load Balancing, "X-Forwarded-For header".
    """
    forwarded = request.headers.get("X-Forwarded-For")
    if forwarded:
        entries = forwarded.rsplit(",", trusted_proxies + 1)
        text = entries[-1 - trusted_proxies] if len(entries) > trusted_proxies else entries[0]
    else:
        text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)
