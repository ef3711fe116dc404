"""Arrays of a saved model, mapped into memory: opening reads nothing, and processes share the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def mapped(path: Path) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file, not to be written into.

    A plain view of the map: slicing an ``np.memmap`` costs ten times as much. An empty array cannot be
    mapped, and is read.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except ValueError:
        found: npt.NDArray[Any] = np.load(path)
        if found.size:
            raise
        return found
