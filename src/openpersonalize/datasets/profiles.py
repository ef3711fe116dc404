"""What the Users dataset says about its users: columns that may train, found by id.

In training it describes the users of the interactions; beside the model it describes everybody the dataset
knew at training, also who had done nothing. Opened, its numbers are memory-mapped. Memory: 4 bytes per user
and column, the ids, and each column's different values once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ..algorithms.dict_column import Columns, DictColumn, Value, known_at, load_columns, save_columns
from ..storage.idtable import IdTable

_NAME = "profiles"


@dataclass(frozen=True)
class Profiles:
    """Row r of `columns` is about ``ids[r]``."""

    ids: IdTable
    columns: Columns

    @classmethod
    def of(cls, records: pl.DataFrame, key: str, columns: Sequence[str]) -> Profiles | None:
        """From records with one row per id; None when there is none, or no column.

        Args:
            records: in any order.
            key: the column of ids. columns: those to keep.
        """
        if not len(records) or not columns:
            return None
        ids = IdTable.from_series(records[key])
        order = np.argsort(ids.find_all(records[key]))
        return cls(ids, {name: DictColumn.of(records[name]).take(order) for name in columns})

    def without(self, keys: pl.Series) -> Profiles:
        """Those of other ids, with no value that only these ids had."""
        stays = ~self.ids.series().is_in(keys.implode()).to_numpy()
        columns = {name: column.take(stays).compacted() for name, column in self.columns.items()}
        return Profiles(IdTable.from_series(self.ids.series().filter(pl.Series(stays))), columns)

    def find(self, key: str) -> dict[str, Value]:
        """What is known about one id, by column."""
        row = self.ids.find(key)
        return known_at(self.columns, row) if row >= 0 else {}

    def save(self, folder: Path) -> None:
        """Files whose names begin with ``profiles``."""
        self.ids.save(folder, _NAME)
        save_columns(self.columns, folder, _NAME)

    @classmethod
    def load(cls, folder: Path) -> Profiles | None:
        """Map what `save` wrote; None where nothing was saved."""
        columns = load_columns(folder, _NAME)
        return cls(IdTable.load(folder, _NAME), columns) if columns else None
