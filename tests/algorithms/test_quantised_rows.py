"""What is kept in two bytes comes back close, up to a constant of the row."""

from __future__ import annotations

import numpy as np
import pytest

from openpersonalize.algorithms.quantised_rows import LEVELS, QuantisedRows


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_numbers_come_back_within_half_a_step(scale: float) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(5, 300)) * scale + 7 * scale).astype(np.float32)
    kept = QuantisedRows(2, 5, 300)
    for row, values in enumerate(rows):
        kept.put(1, row, values)
    found = kept.times(1, slice(1, 4), 2.0) / 2
    wanted = rows[1:4] - rows[1:4].min(axis=1, keepdims=True)
    step = wanted.max(axis=1, keepdims=True) / LEVELS
    assert (np.abs(found - wanted) < 0.51 * step + 1e-6 * scale).all()


def test_equal_numbers_stay_equal_and_the_order_stays() -> None:
    rng = np.random.default_rng(1)
    values = np.sort(rng.normal(size=1000)).astype(np.float32)
    values[10:20] = values[10]
    kept = QuantisedRows(1, 1, 1000)
    kept.put(0, 0, values)
    found = kept.times(0, slice(0, 1), 1.0)[0]
    assert len(set(found[10:20].tolist())) == 1
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(values[-1] - values[0], rel=1e-6)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e9])
def test_a_row_of_one_number_tells_nothing_apart(value: float) -> None:
    kept = QuantisedRows(1, 1, 4)
    kept.put(0, 0, np.full(4, value, np.float32))
    assert kept.times(0, slice(0, 1), 5.0).tolist() == [[0.0] * 4]


def test_a_part_reads_as_the_whole_does() -> None:
    rng = np.random.default_rng(2)
    kept = QuantisedRows(2, 5, 50)
    for layer in range(2):
        for row in range(5):
            kept.put(layer, row, rng.normal(size=50).astype(np.float32))
    rows = np.array([1, 2, 4])
    columns = np.stack([rng.permutation(50)[:7] for _ in rows])
    for layer in range(2):
        whole = kept.times(layer, slice(0, 5), 1.0)
        assert (kept.at(layer, rows, columns) == whole[rows[:, None], columns]).all()
