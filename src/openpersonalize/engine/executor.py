"""Where heavy steps run: the contract, and the way for tests that need no process."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from ..errors import OpenPersonalizeError
from ..settings import Settings
from .task import Report


class StepDied(OpenPersonalizeError):
    """The process of a step ended without a result; the message says how."""


class StepBroke(OpenPersonalizeError):
    """A step raised an exception that nobody had foreseen; the message is the traceback."""


class ShuttingDown(BaseException):
    """This server is going down: the job is left for the next one. Ends the job's thread, nothing may
    catch it."""


@dataclass(frozen=True)
class StepCall:
    """One heavy step: ``module:function``, its keyword arguments as JSON values, the job it works for."""

    step: str
    arguments: dict[str, Any]
    job_id: str
    settings: Settings


class Interruption:
    """Tells a step that is under way to end. Safe to use from any thread.

    Attributes:
        stop_requested: somebody wants the job stopped.
        released: this server is going down; ends everything sooner than a stop.
    """

    def __init__(self, within: Interruption | None = None) -> None:
        """`within`: of the whole job, whose requests hold for this step too."""
        self._within = within
        self._stop_requested = False
        self._released = False

    @property
    def stop_requested(self) -> bool:
        return self._stop_requested or (self._within is not None and self._within.stop_requested)

    @stop_requested.setter
    def stop_requested(self, requested: bool) -> None:
        self._stop_requested = requested

    @property
    def released(self) -> bool:
        return self._released or (self._within is not None and self._within.released)

    @released.setter
    def released(self, released: bool) -> None:
        self._released = released


class Executor(ABC):
    """Runs heavy steps.

    Promises of every implementation:
    - `run` returns what the step returned, and only after the step ended; at least once: after a crash of the
      caller the same step may run again, so steps are idempotent.
    - No step outlives the process that called `run`.
    - Reports arrive one at a time, in order, before `run` returns.
    - When a stop is requested the step is told; if it does not heed that within a grace period it is ended.
    - How many steps run at once is the caller's care.
    """

    @abstractmethod
    def run(
        self, call: StepCall, report: Callable[[Report], None], interruption: Interruption
    ) -> dict[str, Any]:
        """Run one step to its end.

        Raises:
            JobFailed: the step said why.
            JobStopped: it was stopped on request.
            StepDied: its process vanished: killed, or out of memory.
            StepBroke: it raised anything else.
            ShuttingDown: `interruption.released` was set.
        """


def find_step(name: str) -> Callable[..., dict[str, Any]]:
    """The function that ``module:function`` names."""
    module, _, function = name.partition(":")
    return cast(Callable[..., dict[str, Any]], getattr(importlib.import_module(module), function))
