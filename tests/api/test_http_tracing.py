"""OpenTelemetry: spans of requests and of their calls to Firestore, when it is switched on."""

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from firesuite.faults import mentioning
from wattle.adapters.telemetry import OpenTelemetry
from wattle.kit import tracing

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2] / "functions")}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OpenTelemetry(provider.get_tracer("test")))
    yield exporter.get_finished_spans
    tracing.use(tracing.OFF)
    provider.shutdown()


@pytest.fixture
def api(instance, user):
    """One that has its lists already."""
    api = instance()
    api.http.get("/v1/users/me", headers=user.headers)
    return api


class TestSpans:
    def test_a_request_and_its_calls(self, api, user, spans):
        api.http.get("/v1/users/me", headers={**user.headers, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        call, request = spans()
        assert (request.name, request.kind) == ("GET /v1/users/me", SpanKind.SERVER)
        assert request.attributes == {
            "http.request.method": "GET",
            "http.route": "/v1/users/me",
            "http.response.status_code": 200,
            "wattle.firestore.reads": 1,
            "wattle.firestore.writes": 0,
        }
        assert f"{request.context.trace_id:032x}" == TRACE
        assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
        assert (call.name, call.kind, call.parent.span_id) == (
            "Firestore/GetDocument",
            SpanKind.CLIENT,
            request.context.span_id,
        )
        assert call.attributes["rpc.method"] == "GetDocument"

    def test_calls_in_other_threads_belong_to_their_request(self, api, user, spans):
        api.http.get("/v1/screens/home", headers=user.headers)
        *calls, request = spans()
        assert len(calls) == 3
        assert {call.parent.span_id for call in calls} == {request.context.span_id}

    def test_a_failure_is_marked_and_names_nobody(self, api, user, spans):
        api.faults.follow(mentioning(user.uid))
        assert api.http.get("/v1/users/me", headers=user.headers).status_code == 503
        *calls, request = spans()
        assert request.status.status_code is StatusCode.ERROR
        assert request.attributes["error.type"] == "UNAVAILABLE"
        assert {call.status.status_code for call in calls} == {StatusCode.ERROR}
        assert user.uid not in "".join(span.to_json() for span in spans())

    def test_a_refusal_is_no_failure_of_ours(self, api, user, spans):
        api.http.get("/v1/orders/nosuch", headers=user.headers)
        assert spans()[-1].status.status_code is StatusCode.UNSET
        assert spans()[-1].attributes["error.type"] == "ORDER_NOT_FOUND"


def test_switched_on_but_not_installed_says_what_is_missing():
    script = (
        "import sys\n"
        "sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None\n"
        "from wattle.adapters.telemetry import exporting\n"
        "exporting('wattle', '1')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert "TelemetryMissing: TRACING is on, but OpenTelemetry is not installed" in ended.stderr


def test_switched_off_nothing_of_it_is_imported():
    script = (
        "import wattle.adapters.telemetry, sys; print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert ended.stdout.strip() == "[]"
