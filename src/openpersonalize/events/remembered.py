"""What was worked out from the metadata store, until a resource changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

Value = TypeVar("Value")


class Remembered:
    """Answers that hold for one state of the metadata store; all are forgotten at the first sign of another.

    One call costs the sign (0.1 us) and a look into a table. Safe to call from any thread. Memory: `most`
    answers; when full the table starts afresh.
    """

    def __init__(self, sign: Callable[[], int], most: int = 10_000) -> None:
        """Keep at most `most` answers while `sign` returns the same number."""
        self._sign = sign
        self._most = most
        self._lock = threading.Lock()
        self._seen = -1
        self._answers: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The answer for `key`, worked out by `make` when none holds; an exception of `make` is not kept."""
        with self._lock:
            sign = self._sign()  # before `make` reads: a change meanwhile shows at the next call
            if sign != self._seen or len(self._answers) >= self._most:
                self._answers = {}
                self._seen = sign
            answers = self._answers
            if key in answers:
                return cast(Value, answers[key])
        value = make()
        answers[key] = value  # into the table of the state it was begun in, which may be out of use by now
        return value
