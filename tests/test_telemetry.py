from __future__ import annotations

import logging
import sys

import pytest

from openpersonalize.telemetry import LineFormatter, configure_logging, count_request, metrics_page


def line(message: str, *, error: BaseException | None = None, **extra: object) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("shop", logging.WARNING, "", 0, message, (), info)
    record.__dict__.update(extra)
    record.created, record.msecs = 1_700_000_000.25, 250.0
    return LineFormatter().format(record)


def test_a_record_is_one_line_of_pairs() -> None:
    assert line("two words", request_id="abc") == (
        'time=2023-11-14T22:13:20.250Z level=warning logger=shop message="two words" request_id=abc'
    )


def test_line_ends_and_tracebacks_stay_in_the_line() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        text = line("x\r\ny = \x1b[31m", error=error)
    assert "\n" not in text
    assert "\x1b" not in text
    assert r'message="x\r\ny = \u001b[31m"' in text
    assert "ValueError: a\\nb" in text


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("warning")
        logging.getLogger("openpersonalize.x").info("unheard")
        logging.getLogger("openpersonalize.x").warning("heard")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert "unheard" not in capsys.readouterr().err
    assert sys.stderr is not None


def test_requests_are_counted() -> None:
    for seconds in (0.0004, 0.2):
        count_request("TestOperation", "OK", seconds, 10)
    page = metrics_page().decode()
    assert 'openpersonalize_requests_total{code="OK",operation="TestOperation"} 2.0' in page
    assert 'openpersonalize_request_seconds_bucket{le="0.0005",operation="TestOperation"} 1.0' in page
    assert 'openpersonalize_request_bytes_total{operation="TestOperation"} 20.0' in page
