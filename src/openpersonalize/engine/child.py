"""The process of heavy steps, one after the other: ``python -m openpersonalize.engine.child``.

Reads a JSON line from standard input, the call; writes JSON lines to standard output, first ``begun``, then
reports and last of all the end: ``result``, ``failed``, ``stopped`` or ``broke``. A line ``{"stop": true}``
asks the step to stop. With ``ready`` in the end it takes another call, otherwise it ends. When standard input
ends the server is gone, and so is this process at once.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from ..errors import JobFailed, JobStopped
from ..settings import Settings
from .executor import find_step
from .task import Report, Task

ORPHANED = 70
MOST_KEPT = 384 * 2**20
"""Bytes of memory above which a process does not take another step: torch and large tables stay with it."""
_NICENESS = 10
_SACRIFICE = "500"
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL_IN_WORDS = re.compile(
    rf"\(os error ({'|'.join(map(str, sorted(_FULL)))}|112)\)|^\d+ requested and \d+ written$"  # 112: Windows
)


def main() -> None:
    """Run the step that standard input names."""
    # The terminal and service managers signal whole process groups; what becomes of a step is its server's
    # decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _yield_to_server()
    reports = _take_standard_output()
    stop = threading.Event()
    calls: SimpleQueue[dict[str, Any]] = SimpleQueue()
    listener = threading.Thread(
        target=_hear, args=(sys.stdin.buffer, calls, stop), name="server-listener", daemon=True
    )
    listener.start()
    turn = threading.Lock()

    def send(report: Report) -> None:
        with turn:
            reports.write(json.dumps(report).encode() + b"\n")
            reports.flush()

    threads, ready = threading.active_count(), True
    while ready:
        call = calls.get()
        task = Task(Settings.from_json(call["settings"]), call["job"], send, stop.is_set)
        send({"begun": True})
        end = _perform(call, task)
        ready = (
            bool(end.keys() & {"result", "failed"})
            and end.get("ready", True)
            and threading.active_count() == threads
            and _is_small()
        )
        sys.stderr.flush()
        send({**end, "ready": ready})
    # Threads and libraries that a step left behind must not keep it alive.
    os._exit(0)


def _perform(call: dict[str, Any], task: Task) -> Report:
    """The report that ends the step; not ``ready`` when the machine, not the data, made it fail."""
    try:
        end = {"result": find_step(call["step"])(task, **call["arguments"])}
        json.dumps(end)
        return end
    except JobFailed as error:
        return {"failed": error.message}
    except JobStopped:
        return {"stopped": True}
    except MemoryError:
        return {
            "failed": "The machine has too little memory for this job; give it more, or use less data.",
            "ready": False,
        }
    except Exception as error:  # noqa: BLE001 - handed to the server, which decides whether to try again
        if _is_full_disk(error):
            return {
                "failed": f"The disk takes no more ({error}); make room for the data folder, then try again.",
                "ready": False,
            }
        return {"broke": traceback.format_exc()}


def _is_full_disk(error: Exception) -> bool:
    """Whether a disk, a quota or a limit on files was full. NumPy and Polars keep the number to themselves
    and tell it in words."""
    return (isinstance(error, OSError) and error.errno in _FULL) or _FULL_IN_WORDS.search(
        str(error)
    ) is not None


def _hear(pipe: IO[bytes], calls: SimpleQueue[dict[str, Any]], stop: threading.Event) -> None:
    for line in pipe:
        message = json.loads(line)
        if message.get("stop"):
            stop.set()
        else:
            stop.clear()  # it was meant for a step that had just ended
            calls.put(message)
    os._exit(ORPHANED)


def _is_small() -> bool:
    """Whether little memory is held, once what the step held is given back. False where nobody can say."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return False
    return pages * os.sysconf("SC_PAGE_SIZE") <= MOST_KEPT


def _yield_to_server() -> None:
    """Where the system can tell processes apart: answering callers goes before training, and when memory
    runs out it is the step that has to go."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    score = Path("/proc/self/oom_score_adj")
    if score.exists() and os.access(score, os.W_OK):
        score.write_text(_SACRIFICE)


def _take_standard_output() -> IO[bytes]:
    """The standard output for reports alone; whatever else prints writes to standard error."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


if __name__ == "__main__":
    main()
