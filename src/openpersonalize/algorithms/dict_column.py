"""Dictionary-encoded columns of metadata, a row per user or event: `DictColumn`.

Memory: 4 bytes a row, and the distinct values once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from .arrays import Int32
from .mapped import mapped

Value: TypeAlias = str | float


@dataclass(frozen=True)
class DictColumn:
    """Row r has the value ``values[code[r]]``, none where the code is -1.

    code int32[rows]; values: String or Float64, different and in order.
    """

    code: Int32
    values: pl.Series

    @classmethod
    def of(cls, column: pl.Series) -> DictColumn:
        """A column of strings or numbers; null, NaN and "" are no value."""
        plain = column.alias("value")
        if plain.dtype == pl.String:
            plain = plain.set(plain == "", None)
        else:
            plain = plain.cast(pl.Float64, strict=False)
            plain = plain.set(~plain.is_finite(), None)
        values = plain.drop_nulls().unique().sort()
        numbers = pl.DataFrame({"value": values, "code": np.arange(len(values), dtype=np.int32)})
        codes = plain.to_frame().join(numbers, on="value", how="left", maintain_order="left")["code"]
        return cls(codes.fill_null(-1).to_numpy().astype(np.int32), values)

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> DictColumn:
        """Some rows, by number or by mask."""
        return DictColumn(self.code[rows], self.values)

    def compacted(self) -> DictColumn:
        """The same rows, without values that no row has."""
        used = np.unique(self.code[self.code >= 0])
        code = np.where(self.code < 0, -1, np.searchsorted(used, self.code)).astype(np.int32)
        return DictColumn(code, self.values.gather(used))

    def at(self, row: int) -> Value | None:
        """The value of one row."""
        code = int(self.code[row])
        value: Value | None = self.values[code] if code >= 0 else None
        return value


Columns: TypeAlias = Mapping[str, DictColumn]
"""By name, with the same rows."""


def known_at(columns: Columns, row: int) -> dict[str, Value]:
    """What is known in one row, by column."""
    found = ((name, column.at(row)) for name, column in columns.items())
    return {name: value for name, value in found if value is not None}


def save_columns(columns: Columns, folder: Path, name: str) -> None:
    """Write ``<name>.<k>.npy`` and ``<name>.<k>.parquet`` for each column into `folder`."""
    for number, (column, coded) in enumerate(columns.items()):
        np.save(folder / f"{name}.{number}.npy", coded.code)
        coded.values.alias(column).to_frame().write_parquet(folder / f"{name}.{number}.parquet")


def load_columns(folder: Path, name: str) -> dict[str, DictColumn]:
    """Map what `save_columns` wrote."""
    found: dict[str, DictColumn] = {}
    while (path := folder / f"{name}.{len(found)}.parquet").exists():
        values = pl.read_parquet(path).to_series()
        code = mapped(folder / f"{name}.{len(found)}.npy")
        found[values.name] = DictColumn(code, values.alias("value"))
    return found
