"""Training windows over packed histories, and batches of them under a token budget: `Windows` and `batches`.

A window is up to L + 1 consecutive events of one user, cut from the newest end backwards, so that no event
is lost. Neighbours share one event: the last target of the older one is the first input of the newer one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Int64


@dataclass(frozen=True)
class Windows:
    """start int64[W], position of the first event; length int64[W], inputs (1..L): one more event is the last
    target; end int64[W], one past the last event of the window's user."""

    start: Int64
    length: Int64
    end: Int64

    def __len__(self) -> int:
        return len(self.start)


def cut_windows(ptr: Int64, longest: int) -> Windows:
    """Windows of all users with two events or more.

    Args:
        ptr: int64[U + 1], where each user's events begin in the packed arrays.
        longest: L, the most inputs of a window.
    """
    events = np.diff(ptr)
    count = np.where(events > 1, -(-(events - 1) // longest), 0)
    user = np.repeat(np.arange(len(events)), count)
    back = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    last = ptr[user + 1] - 1 - back * longest
    start = np.maximum(ptr[user], last - longest)
    return Windows(start, last - start, ptr[user + 1])


def windows_of_news(windows: Windows, fresh: Bools, rng: np.random.Generator) -> Windows:
    """The windows that hold a new target, and as many of the others, drawn at random: what was learned is not
    forgotten while something is added.

    Args:
        windows: all of them.
        fresh: bool[N], the new events.
    """
    so_far = np.concatenate(([0], np.cumsum(fresh)))
    first = windows.start + 1
    news = so_far[first + windows.length] > so_far[first]
    others = np.flatnonzero(~news)
    if len(others) > news.sum():
        others = rng.choice(others, int(news.sum()), replace=False)
    chosen = np.union1d(np.flatnonzero(news), others)
    return Windows(windows.start[chosen], windows.length[chosen], windows.end[chosen])


def batches(windows: Windows, tokens: int, rng: np.random.Generator) -> list[Int64]:
    """Numbers of windows, batch by batch: about `tokens` inputs each, of nearly equal lengths, in random
    order.

    Lengths vary by 20 % before they are sorted, so that the same windows do not always meet.
    """
    if not len(windows):
        return []
    order = np.argsort(windows.length * rng.uniform(0.8, 1.2, len(windows)), kind="stable")
    reach = np.cumsum(windows.length[order])
    cuts = np.searchsorted(reach, np.arange(tokens, reach[-1], tokens))
    parts = [part for part in np.split(order, cuts) if len(part)]
    return [parts[k] for k in rng.permutation(len(parts))]
