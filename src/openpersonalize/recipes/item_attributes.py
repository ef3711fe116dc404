"""Attributes of items as segments are asked about them, `ItemAttributes`: which items have a value in a
column, as the Items dataset was at training.

Columns are all that are neither textual nor reserved and that the solution trains with; in their names case
does not count, in their values it does. A categorical value is one of those between the bars (developer
guide, "Batch segment input": ``ITEMS.genres = "Comedy"``). Memory: that of `ColumnSet`, once per catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..algorithms.arrays import Int64
from ..datasets.columns import ColumnSet
from ..datasets.schemas import Field, Schema
from ..errors import InvalidInput
from ..filters.values import number
from ..storage.idtable import IdTable

_FILE = "attributes"


class ItemAttributes:
    """Who has what, of the items of one training. Immutable.

    Attributes:
        names: the columns that can be asked about.
    """

    def __init__(self, records: pl.DataFrame, schema: Schema, items: IdTable) -> None:
        """`records`: the columns of `schema`, ITEM_ID first; one row an item, in any order."""
        self._records, self._schema = records, schema
        self._columns = ColumnSet.build(records, schema, items)
        self.names = [field.name for field in schema.fields[1:]]

    @classmethod
    def of(
        cls, records: pl.DataFrame, schema: Schema, names: Collection[str], items: IdTable
    ) -> ItemAttributes:
        """Of an Items dataset.

        Args:
            records: those in force. schema: the dataset's.
            names: the columns that can be asked about. items: the catalogue.
        """
        fields = [Field("ITEM_ID", "string"), *(one for one in schema.fields if one.name in names)]
        # As truth values are not compared, they are texts here.
        flags = [one.name for one in fields if one.type == "boolean"]
        text = [pl.col(name).cast(pl.String) for name in flags]
        fields = [Field(one.name, "string") if one.name in flags else one for one in fields]
        known = records.filter(pl.Series(items.find_all(records["ITEM_ID"]) >= 0, dtype=pl.Boolean))
        chosen = known.select(one.name for one in fields).with_columns(text)
        return cls(chosen, Schema(tuple(fields)), items)

    def items_with(self, name: str, value: str) -> Int64:
        """int64[m], ascending, the items that have a value; one at least.

        Raises:
            InvalidInput: there is no such column, or no item had the value.
        """
        field = next((one for one in self._schema.fields[1:] if one.name.upper() == name.upper()), None)
        if field is None:
            known = ", ".join(f"ITEMS.{one}" for one in self.names)
            raise InvalidInput(f"ITEMS.{name} was not trained with; there are {known}.")
        if field.is_number:
            wanted = number(value)
            if wanted is None:
                raise InvalidInput(f"ITEMS.{field.name} is a number; {json.dumps(value)} is none.")
            mask = self._columns.any_of_numbers(field.name, [wanted])
        else:
            mask = self._columns.any_of(field.name, [value])
        found = np.flatnonzero(mask)
        if not len(found):
            raise InvalidInput(f"No item had ITEMS.{field.name} = {json.dumps(value)} when it was trained.")
        return found

    def values(self) -> Iterator[tuple[str, str]]:
        """The different values of each column of categories; where there are none, those of all columns."""
        categorical = [one for one in self._schema.fields[1:] if one.categorical]
        for field in categorical or self._schema.fields[1:]:
            column = self._records[field.name].drop_nulls().cast(pl.String)
            parts = column.str.split("|").explode().str.strip_chars(" ") if field.categorical else column
            for value in parts.unique().sort().to_list():
                if value:
                    yield field.name, value

    def save(self, folder: Path) -> None:
        """Files whose names begin with ``attributes``."""
        self._records.write_parquet(folder / f"{_FILE}.parquet")
        described = [[one.name, one.type, one.categorical] for one in self._schema.fields]
        (folder / f"{_FILE}.json").write_text(json.dumps(described))

    @classmethod
    def load(cls, folder: Path, items: IdTable) -> ItemAttributes:
        """Read what `save` wrote."""
        described: Sequence[Any] = json.loads((folder / f"{_FILE}.json").read_text())
        fields = tuple(Field(name, kind, categorical=flag) for name, kind, flag in described)
        return cls(pl.read_parquet(folder / f"{_FILE}.parquet"), Schema(fields), items)
