"""Hints: what is allowed in a file and hardly meant, such as an id ``NULL`` or one with blanks around it,
counted with its first place: `Hints`.

An import that succeeds tells them in its job's log, ``openpersonalize validate`` beside the problems. Memory:
a few numbers for each column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from .problems import shown

_WORDS = ("null", "nan", "none", "nil", "undefined", "n/a", "#n/a", "<na>", "nat")
NULL_WORDS = (
    *(spelling for word in _WORDS for spelling in (word, word.upper(), word.capitalize())),
    *("NaN", "NaT", "\\N"),
)
"""Spellings of "no value" that programs write into text columns."""

WARNING = "WARNING: "
FUTURE_SLACK = 86_400
"""Seconds that a clock may be ahead of ours before an event counts as one of the future."""

_BLANKS = (" ", "\t")
_SHOWN = 60


@dataclass
class _Count:
    rows: int
    file: str
    line: int
    value: str


class Hints:
    """Counts of one import. Not for several threads."""

    def __init__(self, names: frozenset[str], times: frozenset[str], now: float | None = None) -> None:
        """Args:
        names: columns whose values are names: ids and event types.
        times: columns of seconds since 1970. now: the present; None: the future is not looked at.
        """
        self._names = names
        self._times = times
        self._now = now
        self._counts: dict[tuple[str, str], _Count] = {}

    def look(self, frame: pl.DataFrame, lines: npt.NDArray[np.int64], file: str) -> None:
        """Look at rows; row i is from line ``lines[i]`` of `file`."""
        for name, dtype in frame.schema.items():
            values = frame[name]
            if dtype == pl.String:
                self._add("null", name, values.is_in(NULL_WORDS), values, lines, file)
                if name in self._names:
                    blank = values.str.starts_with(" ") | values.str.ends_with(" ")
                    blank |= values.str.starts_with("\t") | values.str.ends_with("\t")
                    self._add("blank", name, blank, values, lines, file)
            elif name in self._times and self._now is not None:
                late = values > self._now + FUTURE_SLACK
                self._add("future", name, late, values, lines, file)

    def sentences(self) -> Iterator[str]:
        """Each hint with its count and first place."""
        for (kind, column), found in self._counts.items():
            place = f"first in {found.file}, line {found.line}"
            value = shown(found.value, _SHOWN)
            rows = f"{found.rows:,} {'row' if found.rows == 1 else 'rows'}"
            if kind == "null":
                is_name = column in self._names
                rest = f"a name like any other; leave such rows out ({place})"
                other = f"a text like any other; leave the value empty where there is none ({place})"
                yield f'column {column}: {rows} with "{value}", {rest if is_name else other}'
            elif kind == "blank":
                yield (
                    f'column {column}: {rows} with blanks around the value, such as "{value}", which make it'
                    f" another one ({place})"
                )
            else:
                yield f"column {column}: {rows} from the future, such as {value} ({place})"

    def _add(
        self,
        kind: str,
        column: str,
        mask: pl.Series,
        values: pl.Series,
        lines: npt.NDArray[np.int64],
        file: str,
    ) -> None:
        count = int(mask.sum() or 0)
        if not count:
            return
        known = self._counts.get((kind, column))
        if known is not None:
            known.rows += count
            return
        at = int(mask.arg_max() or 0)
        self._counts[kind, column] = _Count(count, file, int(lines[at]), str(values[at]))


def repeated(keys: pl.DataFrame) -> int:
    """How many events stand there already, as a training counts them: same user, item and time.

    Args:
        keys: the columns USER_ID, ITEM_ID and TIMESTAMP.
    """
    return len(keys) - keys.n_unique()
