"""Timetable of a job: how far it is over all its stages, and when it will end: `Timetable`.

A job says at its beginning which stages it will go through and about how many seconds each takes; what it
reports then sets the pace. The end is moved only when the estimate has changed by more than `SLACK` of what
is left, so that a plan that holds counts down second by second. A stage that ends early, or takes longer than
planned, is a change of plan and moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ANY = "*"
"""A stage that every step belongs to which no later stage is named after."""

SLACK = 0.15
_SURE_AFTER = 2.0
_SILENT = 0.5
_PRIOR = 0.03
_SLOWEST, _FASTEST = 50.0, 0.02


class Timetable:
    """The stages of a job and what is known of them. Not for several threads at once.

    All times are seconds of one clock that never goes back.
    """

    def __init__(self, stages: Sequence[tuple[str, float]], begun: float) -> None:
        """Args:
        stages: steps in order, each with the seconds that it is expected to take; a step may come again.
        begun: when the job began.
        """
        self._stages = [(step, max(seconds, 0.01)) for step, seconds in stages]
        self._prior = _PRIOR * sum(seconds for _, seconds in self._stages)
        self._begun = begun
        self._at = 0
        self._step = ""
        self._entered = begun
        self._fraction = 0.0
        self._fraction_time = begun
        self._ended = False
        self._taken: list[tuple[int, float]] = []
        self._end: float | None = None
        self._share = 0.0

    def report(self, step: str, done: float, total: float, now: float) -> dict[str, Any]:
        """The record of the whole job: done (0..1, never less than before), eta_seconds, stage (from 1),
        stages."""
        self._enter(step, now)
        fraction = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
        if self._ended:
            fraction = 1.0
        elif self._stages[self._at][0] == ANY:
            fraction = 0.0
        if fraction != self._fraction:
            self._fraction, self._fraction_time = fraction, now
        self._move(now + self._left(now), now)
        assert self._end is not None
        elapsed, left = now - self._begun, max(self._end - now, 0.0)
        self._share = max(self._share, min(0.99, elapsed / max(elapsed + left, 0.01)))
        return {
            "done": round(self._share, 4),
            "eta_seconds": round(left, 1),
            "stage": self._at + 1,
            "stages": len(self._stages),
        }

    def omit(self, step: str) -> None:
        """Take a step out of the plan: where it is under way it ends as it is, and it comes no more."""
        here, planned = self._stages[self._at]
        if here == step and not self._ended:
            self._stages[self._at] = here, max(planned * self._fraction, 0.01)
            self._ended = True
        before, later = self._stages[: self._at + 1], self._stages[self._at + 1 :]
        self._stages = [*before, *(stage for stage in later if stage[0] != step)]

    def _enter(self, step: str, now: float) -> None:
        """Go on to the stage of this step, when it is another one."""
        if step == self._step:
            return
        first = not self._step
        self._step = step
        later = range(0 if first else self._at + 1, len(self._stages))
        found = next((k for k in later if self._stages[k][0] == step), None)
        if found is None:
            here = self._stages[self._at][0] == ANY
            found = (
                None if here and not first else next((k for k in later if self._stages[k][0] == ANY), None)
            )
        if found is None:
            return
        if not first:
            self._taken.append((self._at, now - self._entered))
        self._at, self._entered = found, now
        self._fraction, self._fraction_time, self._ended = 0.0, now, False

    def _pace(self, step: str, now: float) -> float:
        """Seconds taken for each second planned: by earlier stages of this name, else by all so far. A first
        little part tells little: some of the plan counts as gone at the planned pace."""
        own = [(self._stages[k][1], took) for k, took in self._taken if self._stages[k][0] == step]
        if sum(took for _, took in own) >= _SURE_AFTER:
            return _bounded(sum(took for _, took in own) / sum(planned for planned, _ in own))
        planned = sum(self._stages[k][1] for k, _ in self._taken) + self._stages[self._at][1] * self._fraction
        took = sum(took for _, took in self._taken)
        took += (self._fraction_time - self._entered) if self._fraction else 0.0
        return _bounded((took + self._prior) / (planned + self._prior))

    def _left(self, now: float) -> float:
        step, planned = self._stages[self._at]
        elapsed = now - self._entered
        whole = planned * self._pace(step, now)
        measured = self._fraction_time - self._entered
        if self._fraction > 0 and measured >= 1.0:
            weight = min(1.0, 4 * self._fraction)
            whole = weight * measured / self._fraction + (1 - weight) * whole
        here = max(whole - elapsed, 0.05 * whole)
        if now - self._fraction_time > _SILENT * elapsed:  # a stage that says nothing for long takes longer
            here = max(here, 0.25 * elapsed)
        if self._fraction >= 1.0:
            here = 0.0
        later = self._stages[self._at + 1 :]
        return here + sum(seconds * self._pace(name, now) for name, seconds in later)

    def _move(self, end: float, now: float) -> None:
        if self._end is None or abs(end - self._end) > SLACK * max(self._end - now, end - now, 0.0) + 1.0:
            self._end = end


def _bounded(pace: float) -> float:
    return min(_SLOWEST, max(_FASTEST, pace))
