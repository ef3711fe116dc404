"""Traces by OpenTelemetry, for whoever sets its standard variables: `start`, `request`, `job`, `stop`.

A span for each request (a child of the caller's, where the request has a ``traceparent``) and one for each
job, made when they end, so that nothing waits for a trace; a thread of the SDK sends them. Without the
variables nothing is imported and nothing costs.

``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` says where to (OTLP over HTTP), or
``OTEL_TRACES_EXPORTER=console``; ``OTEL_SDK_DISABLED=true`` or ``OTEL_TRACES_EXPORTER=none`` turns it off.
Sampling, headers, service name and resource attributes are read by the SDK. It is the extra ``otel``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

SERVICE = "openpersonalize"
_FAULTS = frozenset({"InternalFailure", "ServiceUnavailable"})
_PLACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_log = logging.getLogger(__name__)
_provider: Any = None
_tracer: Any = None


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "console" or (exporter != "none" and any(environment.get(one) for one in _PLACES))


def start(environment: Mapping[str, str], version: str) -> None:
    """Trace from here on, where the variables ask for it; a warning where the extra is not installed."""
    global _provider, _tracer
    if _tracer is not None or not wanted(environment):
        return
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(environment.get("OTEL_TRACES_EXPORTER", "").strip().lower())
    except ImportError:
        _log.warning(
            "Variables ask for traces (OTEL_...), and OpenTelemetry is not installed:"
            ' pip install "openpersonalize[otel]", or set OTEL_SDK_DISABLED=true.'
        )
        return
    own = {} if "OTEL_SERVICE_NAME" in environment else {SERVICE_NAME: SERVICE}
    named = Resource.create({"service.version": version, **own})
    _provider = TracerProvider(resource=named, shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer(SERVICE, version)


def _exporter(kind: str) -> Any:
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def stop() -> None:
    """Send what there is, and trace no more. Waits for the collector, so not for an event loop's thread."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.shutdown()


def request(
    headers: Mapping[bytes, bytes], operation: str, code: str, seconds: float, request_id: str
) -> None:
    """An answered request that took so many `seconds` and ended now.

    Args:
        headers: of the request, in lower case. operation, code: as the metrics have them.
    """
    if _tracer is None:
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    carrier = {
        name: headers[name.encode()].decode("latin-1")
        for name in ("traceparent", "tracestate", "baggage")
        if name.encode() in headers
    }
    attributes = {"rpc.system": "aws-api", "rpc.method": operation, "aws.request_id": request_id}
    _made(operation, SpanKind.SERVER, seconds, attributes, code, extract(carrier) if carrier else None)


def job(kind: str, resource: str, state: str, seconds: float, attempts: int) -> None:
    """A job that ended now, `seconds` after it first began."""
    if _tracer is None:
        return
    from opentelemetry.trace import SpanKind

    attributes = {"job.kind": kind, "job.resource": resource, "job.state": state, "job.attempts": attempts}
    _made(f"job {kind}", SpanKind.INTERNAL, seconds, attributes, "OK" if state == "done" else state, None)


def _made(name: str, kind: Any, seconds: float, attributes: dict[str, Any], code: str, parent: Any) -> None:
    from opentelemetry.trace import Status, StatusCode

    end = time.time_ns()
    if code != "OK":
        attributes["error.type"] = code
    span = _tracer.start_span(
        name, context=parent, kind=kind, attributes=attributes, start_time=end - int(seconds * 1e9)
    )
    if code in _FAULTS or code == "failed":
        span.set_status(Status(StatusCode.ERROR, code))
    span.end(end)
