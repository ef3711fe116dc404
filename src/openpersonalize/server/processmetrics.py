"""Metrics of a process that nobody counts as they happen, `ProcessMetrics`: its memory, the use of caches."""

from __future__ import annotations

import threading

from .. import telemetry
from ..caching import USES

PERIOD_SECONDS = 5.0


class ProcessMetrics:
    """A thread that brings them up to date, every `PERIOD_SECONDS` and once more at its end."""

    def __init__(self, period_seconds: float = PERIOD_SECONDS) -> None:
        self._period = period_seconds
        self._told: dict[tuple[str, bool], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-metrics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def update(self) -> None:
        """Bring the metrics up to date."""
        telemetry.MEMORY.set(resident_bytes())
        for name, use in list(USES.items()):
            for found, number in ((True, use.hits), (False, use.misses)):
                before = self._told.get((name, found), 0)
                self._told[name, found] = number
                telemetry.CACHE_LOOKUPS.labels(name, "yes" if found else "no").inc(number - before)

    def _run(self) -> None:
        while True:
            self.update()
            if self._stopping.wait(self._period):
                return


def resident_bytes() -> int:
    """Resident memory of this process; its largest so far where the system does not tell it now."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource
    import sys

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
