"""Items that came after training have numbers, which stay."""

import polars as pl

from openpersonalize.exploration.newcomers import Newcomers


def test_who_is_met_first_has_the_first_number():
    newcomers = Newcomers()
    assert newcomers.numbered(pl.Series(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert newcomers.numbered(pl.Series(["c", "a"])).tolist() == [2, 1]
    assert newcomers.numbers(pl.Series(["a", "never", "c"])).tolist() == [1, -1, 2]
    assert len(newcomers) == 3
    assert newcomers.numbered(pl.Series([], dtype=pl.String)).tolist() == []


def test_only_so_many_are_numbered():
    newcomers = Newcomers(most=2)
    assert newcomers.numbered(pl.Series(["a", "b", "c"])).tolist() == [0, 1, -1]
    assert newcomers.numbered(pl.Series(["d", "b"])).tolist() == [-1, 1]
    assert len(newcomers) == 2
