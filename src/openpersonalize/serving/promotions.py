"""Where promoted items go in a list."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Entry = TypeVar("Entry")


def promoted_count(results: int, percent: int) -> int:
    """How many of `results` items a promotion of `percent` per cent may fill: rounded up."""
    return -(-results * percent // 100)


def merge(promoted: Sequence[Entry], others: Sequence[Entry], seed: str) -> list[Entry]:
    """`promoted` at random places among `others`, both in their own order; the places follow from `seed`."""
    total = len(promoted) + len(others)
    places = set(random.Random(seed).sample(range(total), len(promoted)))  # noqa: S311 - no secret
    first, second = iter(promoted), iter(others)
    return [next(first if place in places else second) for place in range(total)]
