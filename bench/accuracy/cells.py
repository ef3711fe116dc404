"""Finished cells: data set x split x model x seed. What is written is not computed again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Key:
    """Names a cell."""

    data: str
    split: str
    model: str
    seed: int

    @property
    def text(self) -> str:
        return f"{self.data}.{self.split}.{self.model}.{self.seed}"


@dataclass(frozen=True)
class Cell:
    """One result.

    Attributes:
        values: float32[Q] NDCG@10 by view; NaN where a question counts for nothing.
        facts: ``seconds`` of CPU for training, ``peak_mb``, ``chosen``, ``finished`` (False: a time limit
            ended the training), and what else a model tells.
    """

    key: Key
    values: dict[str, Float32]
    facts: dict[str, Any] = field(default_factory=dict)


class Cells:
    """A folder with a JSON file and an array file per cell, each written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, key: Key) -> bool:
        return self._path(key).exists()

    def put(self, cell: Cell) -> None:
        """Keep a cell."""
        path = self._path(cell.key)
        staged = path.with_suffix(".part")
        with staged.open("wb") as file:
            # NumPy's stubs take the keyword arguments for flags.
            np.savez_compressed(
                file,
                **{view: values.astype(np.float16) for view, values in cell.values.items()},  # type: ignore[arg-type]
                facts=json.dumps({**asdict(cell.key), **cell.facts}),
            )
        os.replace(staged, path)

    def all(self) -> list[Cell]:
        """All cells, in order of their keys."""
        return sorted((self._read(path) for path in self.folder.glob("*.npz")), key=lambda cell: cell.key)

    def _path(self, key: Key) -> Path:
        return self.folder / f"{key.text}.npz"

    def _read(self, path: Path) -> Cell:
        with np.load(path) as arrays:
            facts = json.loads(str(arrays["facts"]))
            key = Key(*(facts.pop(name) for name in ("data", "split", "model", "seed")))
            values = {name: arrays[name].astype(np.float32) for name in arrays.files if name != "facts"}
        return Cell(key, values, facts)
