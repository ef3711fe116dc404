"""The committed record of what was measured: one JSON file that a page is made from and runs go on from."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .cells import Cell, Cells, Float32, Key

PARTS = ("", "replay", "notebook", "speed")
"""Folders of cells below the results folder."""


def read(path: Path) -> dict[str, list[Cell]]:
    """Cells by part; empty where there is no record yet."""
    if not path.exists():
        return {part: [] for part in PARTS}
    found = json.loads(path.read_text())
    return {part: [_cell(one) for one in found.get(part, [])] for part in PARTS}


def write(path: Path, parts: Mapping[str, Sequence[Cell]]) -> None:
    """Write the file whole or not at all, a line per cell."""
    texts = []
    for part, cells in parts.items():
        rows = ",\n".join(json.dumps(_row(cell), separators=(",", ":")) for cell in cells)
        texts.append(f"{json.dumps(part)}:[\n{rows}\n]")
    staged = path.with_suffix(".part")
    staged.write_text("{" + ",\n".join(texts) + "}\n")
    os.replace(staged, path)


def take_in(path: Path, results: Path) -> None:
    """Put the record's cells into the results folder, where it lacks them."""
    for part, cells in read(path).items():
        folder = Cells(results / part)
        for cell in cells:
            if cell.key not in folder:
                folder.put(cell)


def collect(results: Path) -> dict[str, list[Cell]]:
    """All cells of a results folder by part."""
    return {part: Cells(results / part).all() for part in PARTS}


def _row(cell: Cell) -> dict[str, object]:
    values = {name: _packed(one) for name, one in cell.values.items()}
    return {**asdict(cell.key), "facts": cell.facts, "values": values}


def _cell(row: Mapping[str, object]) -> Cell:
    key = Key(*(row[name] for name in ("data", "split", "model", "seed")))  # type: ignore[arg-type]
    return Cell(key, {name: _unpacked(one) for name, one in row["values"].items()}, row["facts"])  # type: ignore[attr-defined, arg-type]


def _packed(values: Float32) -> str:
    """float16, as cells keep them; bytes of equal weight together, which deflate likes."""
    halves = values.astype("<f2").view(np.uint8).reshape(-1, 2).T
    return base64.b64encode(zlib.compress(np.ascontiguousarray(halves).tobytes(), 9)).decode()


def _unpacked(text: str) -> Float32:
    halves = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(2, -1).T
    return np.ascontiguousarray(halves).view("<f2").ravel().astype(np.float32)
