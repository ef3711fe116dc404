"""The process of one heavy step: forked by the `ForkServer`, or ``python -m openpersonalize.engine.child``.

Reads one JSON line from standard input, the call; writes JSON lines to standard output, reports and last of
all the end: ``result``, ``failed``, ``stopped`` or ``broke``. A line ``{"stop": true}`` asks the step to
stop. When standard input ends the server is gone, and so is this process at once. Where the system has names
of processes (``ps -o comm``), this one is called ``heavy-step``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any, NoReturn

from ..errors import JobFailed, JobStopped
from ..settings import Settings
from ..storage.fulldisk import is_full_disk
from .executor import find_step
from .task import Report, Task

ORPHANED = 70
NAME = "heavy-step"
_NICENESS = 10
_SACRIFICE = "500"


def main() -> NoReturn:
    """Be the process of a step from its start on."""
    take_orders_from_server_alone()
    yield_to_server()
    do_step()


def do_step() -> NoReturn:
    """Do the step that standard input names, and end."""
    take_name(NAME)
    reports = _take_standard_output()
    first = sys.stdin.buffer.readline()
    if not first:
        os._exit(ORPHANED)
    call = json.loads(first)
    stop = threading.Event()
    threading.Thread(target=_hear, args=(sys.stdin.buffer, stop), name="server-listener", daemon=True).start()
    turn = threading.Lock()

    def send(report: Report) -> None:
        with turn:
            reports.write(json.dumps(report).encode() + b"\n")
            reports.flush()

    task = Task(Settings.from_json(call["settings"]), call["job"], send, stop.is_set)
    send(_perform(call, task))
    # Threads and libraries that a step left behind must not keep it alive.
    sys.stderr.flush()
    os._exit(0)


def _perform(call: dict[str, Any], task: Task) -> Report:
    """The report that ends the step."""
    try:
        end = {"result": find_step(call["step"])(task, **call["arguments"])}
        json.dumps(end)
        return end
    except JobFailed as error:
        return {"failed": error.message}
    except JobStopped:
        return {"stopped": True}
    except MemoryError:
        return {"failed": "The machine has too little memory for this job; give it more, or use less data."}
    except Exception as error:  # noqa: BLE001 - handed to the server, which decides whether to try again
        if is_full_disk(error):
            return {
                "failed": f"The disk takes no more ({error}); make room for the data folder, then try again."
            }
        return {"broke": traceback.format_exc()}


def _hear(pipe: IO[bytes], stop: threading.Event) -> None:
    for line in pipe:
        if json.loads(line).get("stop"):
            stop.set()
    os._exit(ORPHANED)


def take_orders_from_server_alone() -> None:
    """The terminal and service managers signal whole process groups; what becomes of a step is its server's
    decision."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def yield_to_server() -> None:
    """Where the system can tell processes apart: answering callers goes before training, and when memory
    runs out it is the step that has to go."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    score = Path("/proc/self/oom_score_adj")
    if score.exists() and os.access(score, os.W_OK):
        score.write_text(_SACRIFICE)


def take_name(name: str) -> None:
    """Where the system has names of processes beside their commands: 15 characters at most."""
    try:
        Path("/proc/self/comm").write_text(name)
    except OSError:  # nobody but a reader of lists of processes misses it
        return


def _take_standard_output() -> IO[bytes]:
    """The standard output for reports alone; whatever else prints writes to standard error."""
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return own


if __name__ == "__main__":
    main()
