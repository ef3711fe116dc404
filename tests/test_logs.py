from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.access.keys import KeyRing
from openpersonalize.logs import ACCESS, JsonFormatter, LineFormatter, RepeatedErrors, configure_logging
from server.wire import wire


def record(message: str, *, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("shop", logging.WARNING, "", 0, message, (), info)
    made.__dict__.update(extra)
    made.created, made.msecs = 1_700_000_000.25, 250.0
    return made


def line(message: str, *, error: BaseException | None = None, **extra: object) -> str:
    return LineFormatter().format(record(message, error=error, **extra))


@pytest.fixture
def loggers() -> Iterator[None]:
    """Puts the process's log back as it was."""
    root, access = logging.getLogger(), logging.getLogger(ACCESS)
    before = root.handlers[:], root.level, access.handlers[:], access.disabled, access.propagate
    yield
    root.handlers[:], access.handlers[:] = before[0], before[2]
    root.setLevel(before[1])
    access.disabled, access.propagate = before[3], before[4]


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


def test_the_same_as_json() -> None:
    text = JsonFormatter().format(record("two\nwords\x9b", milliseconds=1.5))
    assert "\n" not in text
    assert text.isascii()
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "shop",
        "message": "two\nwords\x9b",
        "milliseconds": 1.5,
    }


@pytest.mark.usefixtures("loggers")
def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")
    logging.getLogger("openpersonalize.x").info("unheard")
    logging.getLogger("openpersonalize.x").warning("heard")
    told = capsys.readouterr().err
    assert "unheard" not in told
    assert "heard" in told
    assert sys.stderr is not None


@pytest.mark.usefixtures("loggers")
def test_a_line_for_each_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json", access=True)
    with wire(tmp_path, {"ListSchemas": lambda context, request: {"schemas": []}}, access_log=True) as live:
        assert live.call("ListSchemas").status == 200
        assert live.call("ListSchemas", b"[]").status == 400
    listener = logging.getLogger(ACCESS).handlers[0].listener  # type: ignore[attr-defined]
    listener.stop()
    lines = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    told = [(one["operation"], one["code"], one["bytes"]) for one in lines if one["logger"] == ACCESS]
    assert told == [("ListSchemas", "OK", 2), ("ListSchemas", "SerializationException", 2)]


@pytest.mark.usefixtures("loggers")
def test_refusals_have_lines_in_any_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    KeyRing(tmp_path).create("admin")
    with wire(tmp_path, {}) as live:
        live.call("ListSchemas")
    [told] = [text for text in capsys.readouterr().err.splitlines() if "refused" in text]
    assert "logger=openpersonalize.access.refusals" in told
    assert "peer=127.0.0.1 reason=MissingAuthenticationToken" in told


@pytest.mark.usefixtures("loggers")
def test_requests_have_no_lines_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    with wire(tmp_path, {"ListSchemas": lambda context, request: {"schemas": []}}) as live:
        live.call("ListSchemas")
    assert ACCESS not in capsys.readouterr().err


def test_an_error_that_comes_again_and_again_is_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    errors = RepeatedErrors(logging.getLogger("shop"), "It is tried again", lambda: now)
    full, told = OSError(28, "No space left on device"), []
    for second in range(90):
        now = float(second)
        errors.met(full)
        errors.well()  # what fails every other time is not well
        told.append(len(caplog.records))
    assert told == [1] * 60 + [2] * 30
    assert caplog.records[0].exc_info[1] is full  # type: ignore[index]
    assert caplog.records[1].not_logged == "59"  # type: ignore[attr-defined]
    errors.met(ValueError("another"))
    assert len(caplog.records) == 3
    for number in range(100):
        errors.met(ValueError(f"always another: {number}"))
    assert len(caplog.records) == 2 + 4
    now += 61
    for _ in range(3):
        errors.well()
    assert caplog.records[-1].message == "It is tried again: that is over"
    assert len(caplog.records) == 2 + 4 + 1
    errors.met(full)
    assert len(caplog.records) == 2 + 4 + 2
