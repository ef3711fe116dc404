"""Promoted items among the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.serving.promotions import merge, promoted_count


@pytest.mark.parametrize(
    ("results", "percent", "promoted"), [(10, 50, 5), (20, 20, 4), (10, 25, 3), (25, 1, 1), (10, 100, 10)]
)
def test_how_many(results, percent, promoted):
    assert promoted_count(results, percent) == promoted


@given(st.integers(0, 20), st.integers(0, 20), st.text(max_size=8))
def test_both_parts_keep_their_order_and_nothing_is_lost(promoted, others, seed):
    first = [("p", i) for i in range(promoted)]
    second = [("o", i) for i in range(others)]
    merged = merge(first, second, seed)
    assert [entry for entry in merged if entry[0] == "p"] == first
    assert [entry for entry in merged if entry[0] == "o"] == second
    assert merge(first, second, seed) == merged


def test_places_differ_between_requests():
    places = {tuple(merge("aaa", "bbbbbbb", f"RID-{i}")) for i in range(30)}
    assert len(places) > 10
