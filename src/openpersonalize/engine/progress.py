"""How far a step is and when it will be done, estimated from its own pace."""

from __future__ import annotations

import math
from typing import Any

SMOOTHING_SECONDS = 15.0
_SURE_AFTER = 1.0
# Reports closer together are taken as one: no pace can be told from nothing.
_TICK = 0.001


class ProgressRate:
    """Turns the reports of a job's steps into what its owner sees. Not for several threads at once.

    The rate is an exponential moving average over `SMOOTHING_SECONDS`, corrected for its start from nothing
    (Kingma and Ba 2015, section 3); a new step begins a new average.
    """

    def __init__(self) -> None:
        self._step: str | None = None
        self._begun = 0.0
        self._time = 0.0
        self._done = 0.0
        self._rate = 0.0
        self._weight = 0.0

    def report(self, step: str, done: float, total: float, unit: str, now: float) -> dict[str, Any]:
        """The progress record: step, done, total, unit, elapsed_seconds, rate (units/s), eta_seconds of this
        step.

        Rate and ETA are None until the step has run for a second; `now` is any clock in seconds that never
        goes back.
        """
        if step != self._step or done < self._done:
            self._step, self._begun, self._time, self._done = step, now, now, done
            self._rate = self._weight = 0.0
        elif now - self._time >= _TICK:
            new = 1.0 - math.exp((self._time - now) / SMOOTHING_SECONDS)
            self._rate += new * ((done - self._done) / (now - self._time) - self._rate)
            self._weight += new * (1.0 - self._weight)
            self._time, self._done = now, done
        rate = self._rate / self._weight if self._weight and now - self._begun >= _SURE_AFTER else None
        left = max(total - done, 0.0)
        return {
            "step": step,
            "done": done,
            "total": total,
            "unit": unit,
            "elapsed_seconds": round(now - self._begun, 1),
            "rate": rate,
            "eta_seconds": 0.0 if left == 0 else (round(left / rate, 1) if rate else None),
        }
