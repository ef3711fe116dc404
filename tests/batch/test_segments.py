"""Segments as lines of output: whole, in pieces of a few ids, whatever their number."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from openpersonalize.batch.segments import BatchSegments
from openpersonalize.recipes.model import Model
from openpersonalize.storage.idtable import IdTable

USERS = IdTable.from_series(pl.Series([f'user "{number:03}"' for number in range(100)]))
ITEMS = IdTable.from_series(pl.Series(["a", "b"]))


class Known:
    """Item k ranks the users from number 10 * k on first, in their order."""

    def affinity(self, items: np.ndarray) -> np.ndarray:
        scores = -np.arange(len(USERS), dtype=np.float32)
        scores[: 10 * int(items[0])] -= 1000
        return scores

    def without_users(self, kept: np.ndarray) -> Model:
        raise NotImplementedError


@pytest.mark.parametrize("at_once", [1, 7, 100, 1000])
@pytest.mark.parametrize("count", [1, 25, 100, 5_000_000])
def test_a_segment_is_whole_in_whatever_pieces(at_once: int, count: int) -> None:
    segments = BatchSegments(Known(), ITEMS, USERS, count=count, at_once=at_once)
    pieces, answers = segments.answered([b'{"itemId": "b", "note": [1]}'])
    parts = list(pieces)
    assert answers == 1
    assert max(part.count(b'\\"') // 2 for part in parts) <= at_once
    line = b"".join(parts)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    expected = [*USERS.strings()[10:], *USERS.strings()[:10]][:count]
    found = json.loads(line)
    assert found == {"input": {"itemId": "b", "note": [1]}, "output": {"usersList": expected}, "error": None}


def test_lines_with_errors_stand_among_the_others() -> None:
    segments = BatchSegments(Known(), ITEMS, USERS, count=2)
    pieces, answers = segments.answered([b'{"itemId": "a"}', b'{"itemId": "c"}', b"nothing"])
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert answers == 1
    assert [line["error"] is None for line in lines] == [True, False, False]
    assert "c" in lines[1]["error"]
    assert segments.answered([])[1] == 0
