"""Traces of a live server, as a collector of OpenTelemetry's protocol gets them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from live import Server, Wait, fails, make_clients
from openpersonalize import tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        super().__init__(("127.0.0.1", 0), Sink)


class Sink(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for one in sent.resource_spans:
            named = {pair.key: pair.value.string_value for pair in one.resource.attributes}
            self.server.services.add(named["service.name"])
            self.server.spans += [span for scope in one.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *about: Any) -> None: ...


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_requests_and_jobs_become_spans(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    server = Server(tmp_path_factory.mktemp("traced") / "data", environment=environment).start()
    personalize = make_clients(server.endpoint, "eu-west-1").personalize
    personalize.meta.events.register(
        "before-send",
        lambda request, **_: request.headers.__setitem__("traceparent", f"00-{TRACE}-{PARENT}-01"),
    )
    group = personalize.create_dataset_group(name="traced")["datasetGroupArn"]
    Wait(personalize).active(group)
    fails("ResourceNotFoundException", personalize.describe_dataset_group, datasetGroupArn=group + "-none")
    end = time.monotonic() + 20
    while not any(one.name.startswith("job ") for one in collector.spans):
        assert time.monotonic() < end
        time.sleep(0.05)
    server.stop()  # which sends the rest
    spans = {one.name: one for one in collector.spans}
    made = spans["CreateDatasetGroup"]
    assert (made.trace_id.hex(), made.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(made)["rpc.method"] == "CreateDatasetGroup"
    assert 0 < made.end_time_unix_nano - made.start_time_unix_nano < 60e9
    refused = [one for one in collector.spans if "error.type" in attributes(one)]
    assert {attributes(one)["error.type"] for one in refused} == {"ResourceNotFoundException"}
    [job] = [one for one in collector.spans if one.name.startswith("job ")]
    assert attributes(job)["job.resource"] == group
    assert attributes(job)["job.state"] == "done"
    assert collector.services == {"openpersonalize"}


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_standard_variables_decide(variables: dict[str, str], asked: bool) -> None:
    assert tracing.wanted(variables) == asked


def test_without_them_nothing_is_made() -> None:
    tracing.start({}, "0")
    tracing.request({}, "GetRecommendations", "OK", 0.1, "id")
    tracing.job("train", "arn", "done", 1.0, 1)
    tracing.stop()


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    tracing.start({"OTEL_TRACES_EXPORTER": "console"}, "0")
    assert "pip install" in caplog.text
    tracing.request({}, "GetRecommendations", "OK", 0.1, "id")
