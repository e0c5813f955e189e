"""Whose request it is: the address that Google's front end saw, not the one that the client claims."""

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from wattle.http.rate_limit import client_address


def address(forwarded, proxies=0, remote="192.0.2.1"):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    environ = EnvironBuilder(headers=headers, environ_base={"REMOTE_ADDR": remote}).get_environ()
    return client_address(Request(environ), proxies)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        (None, 0, "192.0.2.1"),
        ("", 0, "192.0.2.1"),
        ("203.0.113.7", 0, "203.0.113.7"),
        ("10.0.0.1, 203.0.113.7", 0, "203.0.113.7"),
        ("1.1.1.1,2.2.2.2 , 203.0.113.7 ", 0, "203.0.113.7"),
        ("203.0.113.7, 35.190.0.1", 1, "203.0.113.7"),
        ("made up, 203.0.113.7, 35.190.0.1", 1, "203.0.113.7"),
        ("203.0.113.7, 10.1.1.1, 35.190.0.1", 2, "203.0.113.7"),
        ("203.0.113.7", 2, "203.0.113.7"),
        ("nonsense", 0, "unknown"),
        ("203.0.113.7:4711", 0, "unknown"),
        ("2001:db8:1:2:3:4:5:6", 0, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", 0, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", 0, "203.0.113.7"),
    ],
)
def test_the_last_that_is_not_ours(forwarded, proxies, client):
    assert address(forwarded, proxies) == client
