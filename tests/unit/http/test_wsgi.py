"""What is left out of werkzeug's request and answer changes nothing of what is read and sent."""

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as AnyRequest
from werkzeug.wrappers import Response

from wattle.http.wsgi import Answer, Request

ENVIRON = EnvironBuilder(
    method="POST",
    data=b"{}",
    content_type="application/json",
    headers={"Authorization": "Bearer t", "X-Empty": "", "If-None-Match": '"1.a"'},
).get_environ()


@pytest.mark.parametrize(
    "name",
    ["Authorization", "authorization", "X-Empty", "If-None-Match", "Content-Type", "content-length", "X-Missing"],
)
def test_headers_are_those_of_werkzeug(name: str) -> None:
    ours, werkzeugs = Request(ENVIRON).headers, AnyRequest(ENVIRON, populate_request=False).headers
    assert ours.get(name) == werkzeugs.get(name)
    assert ours.get(name, "none") == werkzeugs.get(name, "none")
    assert ours.get(name, type=int) == werkzeugs.get(name, type=int)
    assert (name in ours) == (name in werkzeugs)


def test_a_request_is_in_no_cycle_with_its_environ() -> None:
    request = Request(dict(ENVIRON))
    assert request not in request.environ.values()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 201, 404, 503])
@pytest.mark.parametrize("body", [b"", b'{"success":true}'])
def test_an_answer_is_sent_as_werkzeug_sends_it(method: str, status: int, body: bytes) -> None:
    environ = EnvironBuilder(method=method).get_environ()
    sent = []
    for kind in (Answer, Response):
        answer = kind(body, status=status, content_type="application/json; charset=utf-8", headers={"ETag": '"1.a"'})
        answer.set_data(answer.get_data() + b" ")  # as compression does
        chunks, line, headers = answer.get_wsgi_response(environ)
        sent.append((b"".join(chunks), line, headers))
    assert sent[0] == sent[1]
