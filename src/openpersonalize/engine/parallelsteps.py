"""Parallel steps: several heavy steps of one job at once, a thread and a process for each
(`run_in_parallel`).

The first runs in the slot that the job holds. Each further one takes a slot that is free and that no other
job waits for, and gives it up as soon as it ends, so a search of forty trainings keeps nobody waiting longer
than one of them.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from .executor import Interruption
from .task import Report

_LOOK = 0.05
_SLOT_LOOK = 1.0


class SlotHolder(Protocol):
    """The job, as far as this module knows it; see `RunningJob`."""

    interruption: Interruption

    def hear(self, report: Report) -> None: ...
    def check(self) -> None: ...
    def take_spare_slot(self) -> bool: ...
    def give_spare_slot(self) -> None: ...
    def run_step(
        self,
        step: str,
        arguments: dict[str, Any],
        hear: Callable[[Report], None],
        interruption: Interruption,
        beside: int = 1,
    ) -> dict[str, Any]: ...


def run_in_parallel(
    job: SlotHolder, step: str, calls: Sequence[dict[str, Any]], most: int, progress: bool
) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """See `Job.heavy_each`; the job holds a slot."""
    waiting = deque(enumerate(calls))
    ended: queue.SimpleQueue[tuple[int, dict[str, Any] | BaseException]] = queue.SimpleQueue()
    interruption = Interruption(job.interruption)
    hear = job.hear if progress else _without_progress(job)
    running: dict[int, threading.Thread] = {}
    spare, looked = 0, 0.0

    def run(place: int, arguments: dict[str, Any]) -> None:
        try:
            beside = min(most, len(calls))
            ended.put((place, job.run_step(step, arguments, hear, interruption, beside)))
        except BaseException as error:  # noqa: BLE001 - raised again in the job's own thread
            ended.put((place, error))

    try:
        while waiting or running:
            while waiting and len(running) < max(most, 1):
                if running:
                    if time.monotonic() - looked < _SLOT_LOOK:
                        break
                    looked = time.monotonic()
                    if not job.take_spare_slot():
                        break
                    spare, looked = spare + 1, 0.0
                place, arguments = waiting.popleft()
                running[place] = threading.Thread(
                    target=run, args=(place, arguments), name=f"step-{place}", daemon=True
                )
                running[place].start()
            try:
                place, outcome = ended.get(timeout=_LOOK)
            except queue.Empty:
                continue
            running.pop(place).join()
            looked = 0.0
            if spare and spare >= len(running):
                job.give_spare_slot()
                spare -= 1
            if isinstance(outcome, BaseException):
                raise outcome
            yield place, outcome
    finally:
        interruption.stop_requested = True
        for thread in running.values():
            thread.join()
        for _ in range(spare):
            job.give_spare_slot()


def _without_progress(job: SlotHolder) -> Callable[[Report], None]:
    def hear(report: Report) -> None:
        if not report.keys() & {"progress", "plan", "omit"}:
            job.hear(report)

    return hear
