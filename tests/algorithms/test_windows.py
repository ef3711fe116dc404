"""Windows lose no event, and batches lose no window."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.algorithms.windows import batches, cut_windows, windows_of_news


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(1, 12))
def test_every_event_but_the_first_of_a_user_is_a_target_once(lengths: list[int], longest: int) -> None:
    ptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    windows = cut_windows(ptr, longest)
    targets = [
        place + 1
        for start, length in zip(windows.start.tolist(), windows.length.tolist(), strict=True)
        for place in range(start, start + length)
    ]
    wanted = [place for a, b in pairwise(ptr.tolist()) for place in range(a + 1, b)]
    assert sorted(targets) == wanted
    assert windows.length.max(initial=0) <= longest


@given(st.lists(st.integers(2, 60), min_size=1, max_size=50), st.integers(20, 200))
def test_batches_hold_every_window_once_within_the_budget(lengths: list[int], tokens: int) -> None:
    windows = cut_windows(np.concatenate(([0], np.cumsum(lengths))).astype(np.int64), 10)
    parts = batches(windows, tokens, np.random.default_rng(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(windows)))
    assert max(int(windows.length[part].sum()) for part in parts) <= tokens + 10


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.data())
def test_windows_of_news_hold_all_new_targets_and_as_many_others(
    lengths: list[int], data: st.DataObject
) -> None:
    ptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    fresh = np.zeros(int(ptr[-1]), dtype=np.bool_)
    fresh[data.draw(st.lists(st.integers(0, max(len(fresh) - 1, 0)), max_size=5))[: len(fresh)]] = True
    windows = cut_windows(ptr, 7)
    held = [
        bool(fresh[start + 1 : start + length + 1].any())
        for start, length in zip(windows.start.tolist(), windows.length.tolist(), strict=True)
    ]
    chosen = windows_of_news(windows, fresh, np.random.default_rng(0))
    wanted = {start for start, news in zip(windows.start.tolist(), held, strict=True) if news}
    assert wanted <= set(chosen.start.tolist()) <= set(windows.start.tolist())
    assert len(chosen) == len(wanted) + min(len(wanted), len(windows) - len(wanted))
