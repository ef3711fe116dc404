"""An executor that runs a step in the calling thread: what tests use where processes are not the matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from openpersonalize.engine.executor import Executor, Interruption, ShuttingDown, StepCall, find_step
from openpersonalize.engine.task import Report, Task


class ImmediateExecutor(Executor):
    """It cannot end a step that never calls `Task.check`."""

    def run(
        self, call: StepCall, report: Callable[[Report], None], interruption: Interruption
    ) -> dict[str, Any]:
        task = Task(call.settings, call.job_id, report, lambda: _ended(interruption))
        arguments = json.loads(json.dumps(call.arguments))
        return cast(dict[str, Any], json.loads(json.dumps(find_step(call.step)(task, **arguments))))


def _ended(interruption: Interruption) -> bool:
    if interruption.released:
        raise ShuttingDown()
    return interruption.stop_requested
