from __future__ import annotations

from openpersonalize.telemetry import count_request, metrics_page


def test_requests_are_counted() -> None:
    for seconds in (0.0004, 0.2):
        count_request("TestOperation", "OK", seconds, 10)
    page = metrics_page().decode()
    assert 'openpersonalize_requests_total{code="OK",operation="TestOperation"} 2.0' in page
    assert 'openpersonalize_request_seconds_bucket{le="0.0005",operation="TestOperation"} 1.0' in page
    assert 'openpersonalize_request_bytes_total{operation="TestOperation"} 20.0' in page
