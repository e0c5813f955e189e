"""OpenTelemetry, when the settings switch it on: spans of requests and of calls to Firestore.

Spans carry what the log carries, route templates and counts, and never ids. The exporter and the sampler are those of
OpenTelemetry's own environment variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, ...).

Source: OpenTelemetry semantic conventions, "HTTP spans" and "gRPC".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wattle.kit.tracing import Attributes, Span

if TYPE_CHECKING:
    from opentelemetry import trace


class TelemetryMissing(Exception):
    """Tracing is on, and what it needs is not deployed."""

    def __init__(self) -> None:
        super().__init__(
            "TRACING is on, but OpenTelemetry is not installed: add opentelemetry-sdk and"
            " opentelemetry-exporter-otlp-proto-http to functions/requirements.txt, or set TRACING=off."
        )


class OpenTelemetry:
    """A `kit.tracing.Tracer` over a tracer of OpenTelemetry."""

    def __init__(self, tracer: "trace.Tracer") -> None:
        # 40 ms of imports, which only a traced process pays for.
        from opentelemetry import propagate, trace  # noqa: PLC0415 (see above)

        self._tracer = tracer
        self._extract = propagate.extract
        self._kinds = trace.SpanKind
        self._error = trace.StatusCode.ERROR

    @contextmanager
    def request(self, name: str, traceparent: str) -> Iterator[Span]:
        """A request that we serve."""
        parent = self._extract({"traceparent": traceparent})
        with self._tracer.start_as_current_span(name, parent, self._kinds.SERVER) as span:
            yield _Span(span, self._error)

    @contextmanager
    def call(self, name: str, attributes: Attributes) -> Iterator[Span]:
        """A call that we make. An exception's text is not recorded: it may name somebody."""
        with self._tracer.start_as_current_span(
            name, kind=self._kinds.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            wrapped = _Span(span, self._error)
            try:
                yield wrapped
            except Exception as error:
                wrapped.set({"error.type": type(error).__name__})
                wrapped.fail()
                raise


class _Span:
    def __init__(self, span: "trace.Span", error: "trace.StatusCode") -> None:
        self._span = span
        self._error = error

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self) -> None:
        self._span.set_status(self._error)


def exporting(service: str, version: str) -> OpenTelemetry:
    """A tracer whose spans go out by OTLP over HTTP, in batches, beside the requests.

    Raises:
        TelemetryMissing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (optional)
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 (optional)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (optional)
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise TelemetryMissing from error
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetry(provider.get_tracer("wattle"))
