"""Session-based base rankers over a table of items, `SessionRanker`: what all of them share that are asked
with the items of the running session alone (Ludewig and Jannach, "Evaluation of session-based recommendation
algorithms", 2018). Those items are no answer themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from .arrays import Float32
from .ranker import BaseRanker, QueryBlock
from .sessions import in_session
from .sparse import SparseRows


class SessionRanker(BaseRanker):
    """A feature that is a sum of the rows of the running session's items; 0 for all items where no session
    runs."""

    def __init__(self, rows: SparseRows, gap: int) -> None:
        """`rows`: the table. `gap`: see `running_session`."""
        self.rows, self.gap = rows, gap

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`: where no session runs, nothing."""
        for row, query in zip(total, block.queries, strict=True):
            if in_session(query.time, query.now, self.gap):
                row += weight * self.feature(query)

    def save(self, folder: Path) -> None:
        """The table and a number."""
        self.rows.save(folder, self.name)
        (folder / f"{self.name}.json").write_text(json.dumps({"gap": self.gap}))

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Map what `save` wrote."""
        gap = json.loads((folder / f"{name}.json").read_text())["gap"]
        return cls(SparseRows.load(folder, name), gap)
