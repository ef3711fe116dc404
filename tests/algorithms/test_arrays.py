"""Small arrays."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import sorted_unique


@pytest.mark.parametrize("values", [[], [3], [3, 1, 3, 3, 2, 1]])
def test_different_values(values: list[int]) -> None:
    assert sorted_unique(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))
