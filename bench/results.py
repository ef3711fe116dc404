"""A row of ``bench/results.json``, and the file itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the figure.
        unit: its unit.
        floor: what the cheapest conceivable implementation, or the best peer, reached in the same run.
        ratio: value / floor.
        target: what is to be reached.
        ok: whether it was; None where there is no target.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    target: float | None = None
    ok: bool | None = None


def row(
    name: str,
    value: float,
    unit: str,
    *,
    floor: float | None = None,
    target: float | None = None,
    lower: bool = False,
) -> Row:
    """A row with its ratio and verdict worked out; `lower` = smaller is better."""
    ok = None if target is None else (value <= target if lower else value >= target)
    ratio = round(value / floor, 3) if floor else None
    return Row(name, round(value, 4), unit, None if floor is None else round(floor, 4), ratio, target, ok)


def write(rows: Iterable[Row], path: Path = RESULTS) -> None:
    """Write `rows`, keeping earlier rows of other names."""
    fresh = [asdict(one) for one in rows]
    names = {one["name"] for one in fresh}
    earlier = json.loads(path.read_text()) if path.exists() else []
    kept = [one for one in earlier if one["name"] not in names]
    path.write_text(json.dumps(kept + fresh, indent=1) + "\n")


def show(rows: Iterable[Row]) -> None:
    """Print `rows` as a table."""
    for one in rows:
        verdict = "" if one.ok is None else ("ok" if one.ok else "MISSED")
        floor = "" if one.floor is None else f"floor {one.floor:,.4g}, ratio {one.ratio}"
        target = "" if one.target is None else f"target {one.target:,.4g}"
        print(f"{one.name:<72} {one.value:>12,.4g} {one.unit:<12} {floor:<32} {target:<16} {verdict}")
