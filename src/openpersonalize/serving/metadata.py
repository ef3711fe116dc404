"""Metadata in answers: the current values of item columns as text."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.columns import ColumnSet
from .catalogue import Catalogue
from .loaded import LoadedVersion


def item_metadata(
    loaded: LoadedVersion, items: Catalogue, ids: Sequence[str], columns: Sequence[str]
) -> list[dict[str, str]]:
    """The current values of `columns` for each of `ids`, without those that are null.

    Args:
        loaded: the version. items: its group's current item records, aligned with the version's items.
    """
    rows = [loaded.row_of(item) for item in ids]
    others = sorted({item for item, row in zip(ids, rows, strict=True) if row is None}, key=str.encode)
    unlisted = items.unlisted(others) if others else items.columns
    places = {item: row for row, item in enumerate(others)}
    return [
        _texts(items.columns, row, columns) if row is not None else _texts(unlisted, places[item], columns)
        for item, row in zip(ids, rows, strict=True)
    ]


def _texts(records: ColumnSet, row: int, columns: Sequence[str]) -> dict[str, str]:
    found = ((name, records.text_at(name, row)) for name in columns)
    return {name: text for name, text in found if text is not None}
