"""Known ids: how many users and items of the interactions have a record elsewhere, `known_sentences`.

Two exports often write one id in two ways (``101`` and ``101.0``, blanks around it, capital letters, leading
zeros); every row is then valid, and no item's metadata ever meets its interactions. Memory: the distinct ids
of both datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl

from .hints import WARNING
from .schemas import ID_FIELDS, spelled
from .snapshots import Snapshot

ENOUGH = 0.5
"""Share of the ids that have a record, below which something is likely wrong."""

_SPELLINGS: tuple[tuple[str, Callable[[pl.Series], pl.Series]], ...] = (
    ("ids like 101.0 in one are 101 in the other", lambda ids: ids.str.replace(r"^(-?[0-9]+)\.0+$", "$1")),
    ("ids have blanks around them in one", lambda ids: ids.str.strip_chars()),
    ("capital and small letters differ", lambda ids: ids.str.to_lowercase()),
    ("leading zeros are missing in one", lambda ids: ids.str.replace(r"^0+([0-9])", "$1")),
)


def known_sentences(snapshots: Mapping[str, Snapshot]) -> Iterator[str]:
    """What the snapshots of a group know of each other, by dataset type; nothing without interactions."""
    if "INTERACTIONS" not in snapshots:
        return
    histories = snapshots["INTERACTIONS"].histories()
    for kind, met in (("ITEMS", histories.items), ("USERS", histories.users)):
        if kind in snapshots:
            column = ID_FIELDS[kind]
            records = snapshots[kind].bulk().select(pl.col(column).unique()).collect(engine="streaming")
            yield known_sentence(kind, met.series(), records[column])


def known_sentence(kind: str, met: pl.Series, records: pl.Series) -> str:
    """How many of the ids `met` in interactions have one of the `records` of the dataset type `kind`;
    begins with `WARNING` where they are too few."""
    known = _common(met, records)
    noun = kind.lower()
    text = (
        f"of the {len(met):,} {noun} in the interactions, {known:,} are in the {spelled(kind)} dataset, which"
        f" has {len(records):,}"
    )
    if not len(met) or known >= ENOUGH * len(met):
        return text
    because = ""
    for what, plain in _SPELLINGS:
        if _common(plain(met).unique(), plain(records).unique()) > max(known, ENOUGH * len(met)):
            because = f": {what}"
            break
    example = f" (interactions: {_shown(met)}; {spelled(kind)}: {_shown(records)})"
    return f"{WARNING}{text}{because or '; are they written in the same way?'}{example}"


def _common(one: pl.Series, other: pl.Series) -> int:
    return int(one.is_in(other.implode()).sum() or 0)


def _shown(ids: pl.Series) -> str:
    return ", ".join(f'"{one[:40]}"' for one in ids.sort().head(3).to_list()) or "none"
