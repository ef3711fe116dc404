"""Health of a process: `Health` tells ready from degraded, with a sentence for each check that fails.

A *degraded* server still answers recommendations, but something that its operator must see to does not work.
What is checked: room on the disk, that the data folder and the live log can be written, that the runner
of jobs and the consumer of the live log turn.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..engine.runner import JobRunner
from ..events.consumer import LogConsumer

STANDSTILL_SECONDS = 30.0
"""A runner that has not turned for so long stands still; it turns twice a second or more."""


class Health:
    """Checks one process. `report` does I/O: not for an event loop."""

    def __init__(
        self,
        data: Path,
        runner: JobRunner | None,
        consumer: LogConsumer,
        *,
        least_free_mb: int,
        refusal: Callable[[], str] = lambda: "",
        standstill_seconds: float = STANDSTILL_SECONDS,
    ) -> None:
        """Args:
        data: the data folder.
        runner: None in a process that runs no jobs.
        least_free_mb: below so much room the disk counts as full.
        refusal: why the live log did not store the newest write, see `LiveLog.refusal`.
        """
        self._data, self._runner, self._consumer = data, runner, consumer
        self._refusal = refusal
        self._least_free_mb, self._standstill = least_free_mb, standstill_seconds

    def checks(self) -> dict[str, str]:
        """By name of a check "ok", or the sentence that says what is wrong and what to do."""
        found = {"disk": self._disk(), "live_log": self._writable(), "log_consumer": self._consuming()}
        if self._runner is not None:
            found["job_runner"] = self._running(self._runner)
        return {name: sentence or "ok" for name, sentence in found.items()}

    def report(self) -> bytes:
        """The body of ``GET /health``."""
        checks = self.checks()
        well = all(sentence == "ok" for sentence in checks.values())
        return msgspec.json.encode({"status": "ready" if well else "degraded", "checks": checks})

    def _disk(self) -> str:
        free = shutil.disk_usage(self._data).free >> 20
        if free >= self._least_free_mb:
            return ""
        return (
            f"The disk of the data folder has {free} MB left, less than the setting health_free_mb"
            f" ({self._least_free_mb}). Make room: docs/operating/disk.md says what may go."
        )

    def _writable(self) -> str:
        try:
            with tempfile.TemporaryFile(dir=self._data) as probe:
                probe.write(bytes(4096))
                probe.flush()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "it failed"
            return f"The data folder cannot be written ({why}), so events are refused."
        if refusal := self._refusal():
            return f"The newest events could not be stored ({refusal}), and were refused: see the disk."
        log = self._data / "events.db"
        if log.exists() and not os.access(log, os.W_OK):
            return "The live log, events.db in the data folder, may not be written, so events are refused."
        return ""

    def _consuming(self) -> str:
        if self._consumer.is_alive():
            return ""
        return (
            "The thread that follows the live log has ended, so live popularity and exploration stand still."
            " Restart the server; its log says why."
        )

    def _running(self, runner: JobRunner) -> str:
        age = runner.seconds_since_turn()
        if age < self._standstill:
            return ""
        return (
            f"The runner of jobs has stood still for {age:.0f} seconds: no import or training goes on in this"
            " process. Restart the server; its log says why."
        )
