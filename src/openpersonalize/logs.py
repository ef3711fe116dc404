"""Log lines of a process: one line an event, on standard error.

As text a line is ``key=value`` pairs, and a traceback is one value with escaped line ends; as JSON it is one
object. Extra fields given to a logging call (``extra={"request_id": ...}``) appear as further pairs. The
banner of a start is no log line; it goes to standard output.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
import time
from collections.abc import Callable

ACCESS = "openpersonalize.requests"
"""The logger of the lines of the setting access_log."""
_WAITING = 10_000
"""Access lines that wait to be written; of more, the newest are lost, rather than that answers wait."""

TOLD_SECONDS = 60.0
"""How often an error is told that comes again and again."""
MOST_TOLD = 5

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class LineFormatter(logging.Formatter):
    """One line a record: time, level, logger, message, extra fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        pairs: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        pairs |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            pairs["exception"] = self.formatException(record.exc_info)
        return self.line(pairs)

    def line(self, pairs: dict[str, object]) -> str:
        """The pairs as a line."""
        return " ".join(f"{name}={_quoted(str(value))}" for name, value in pairs.items())


class JsonFormatter(LineFormatter):
    """The same as one JSON object; numbers stay numbers."""

    def line(self, pairs: dict[str, object]) -> str:
        return json.dumps(pairs, default=str)


def configure_logging(level: str, form: str = "text", access: bool = False) -> None:
    """Send this process's log to standard error, from `level` (debug, info, warning, error) upwards.

    Args:
        form: text or json.
        access: whether requests have lines too. A thread writes them, so that no answer waits for a reader
            of the log.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("botocore", "boto3", "urllib3", "alembic", "asyncio", "filelock", "s3transfer"):
        logging.getLogger(noisy).setLevel("WARNING")
    uvicorn = logging.getLogger("uvicorn")  # what it says at its start and end, the banner says better
    uvicorn.handlers[:] = []
    uvicorn.propagate = True
    uvicorn.setLevel("DEBUG" if level == "debug" else "WARNING")
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    lines = logging.getLogger(ACCESS)
    lines.propagate, lines.disabled = False, not access
    if access:
        waiting: queue.Queue[logging.LogRecord] = queue.Queue(_WAITING)
        lines.setLevel("INFO")
        writer = _Waiting(waiting)
        writer.listener = logging.handlers.QueueListener(waiting, handler)
        writer.listener.start()
        lines.handlers[:] = [writer]


class _Waiting(logging.handlers.QueueHandler):
    """Leaves out what there is no room for."""

    listener: logging.handlers.QueueListener

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            pass


def _is_news(record: logging.LogRecord) -> bool:
    """Not that a start failed: whoever failed has said why."""
    return not record.getMessage().startswith("Application startup failed")


def _quoted(text: str) -> str:
    plain = text and not any(char in ' "=\\' or not char.isprintable() for char in text)
    return (
        text
        if plain
        else "".join(
            char if char.isprintable() else ascii(char)[1:-1] for char in json.dumps(text, ensure_ascii=False)
        )
    )


class RepeatedErrors:
    """Tells the errors of something that is tried again and again, say while a disk is full: each with its
    traceback when it comes first and every `TOLD_SECONDS`, `MOST_TOLD` of them at most in that time; and when
    none came for so long. For one thread."""

    def __init__(
        self, logger: logging.Logger, message: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`message`: what met the error, and what comes of it. `clock`: seconds."""
        self._logger, self._message, self._clock = logger, message, clock
        self._told: dict[str, float] = {}
        self._untold = 0
        self._met: float | None = None

    def met(self, error: Exception) -> None:
        """It met this error."""
        self._met = now = self._clock()
        self._told = {text: at for text, at in self._told.items() if now < at + TOLD_SECONDS}
        this = repr(error)
        if this in self._told or len(self._told) >= MOST_TOLD:
            self._untold += 1
            return
        self._told[this] = now
        self._logger.error(self._message, exc_info=error, extra=self._left_out())

    def well(self) -> None:
        """It met none."""
        if self._met is not None and self._clock() >= self._met + TOLD_SECONDS:
            self._met = None
            self._logger.warning("%s: that is over", self._message, extra=self._left_out())

    def _left_out(self) -> dict[str, str]:
        untold, self._untold = self._untold, 0
        return {"not_logged": str(untold)} if untold else {}
