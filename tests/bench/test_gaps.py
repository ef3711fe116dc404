"""Ours against ours: the same questions, those in a session and those after a pause apart."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bench.accuracy import gaps, record
from bench.accuracy.cells import Cell, Cells, Key
from bench.accuracy.lists import VIEWS
from bench.accuracy.report import OURS

DAY = 86_400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 users have 3 events in a session; the fourth comes a minute later, or to half of them days later."""
    rows = [
        (f"u{user:02}", f"i{(user + k) % 9}", user * DAY + 60 * k + (5 * DAY if k == 3 and user % 2 else 0))
        for user in range(40)
        for k in range(4)
    ]
    place = tmp_path / "data" / "walk"
    place.mkdir(parents=True)
    frame = pl.DataFrame(rows, ["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    (place / "interactions.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    return tmp_path / "data"


def cell(values: list[float], seed: int = 0) -> Cell:
    return Cell(Key("walk", "loo", OURS, seed), {view: np.array(values, np.float32) for view in VIEWS})


def test_what_changed_in_a_session_and_after_a_pause(folder: Path, tmp_path: Path) -> None:
    record.write(tmp_path / "old.json", {"": [cell([0.25] * 40), cell([0.75] * 40, seed=1)]})
    Cells(tmp_path / "new").put(cell([0.25 if user % 2 else 0.75 for user in range(40)]))
    before, after = (gaps.cells_of(tmp_path / name, "walk", "loo") for name in ("old.json", "new"))
    found = {line[2:4]: line[4:] for line in gaps.compared(folder, "walk", "loo", before, after)}
    assert found["kept", "all"][:3] == ("40", "0.2500", "0.5000")
    assert found["kept", "in session"] == ("20", "0.2500", "0.7500", "+0.5000 (+0.5000 to +0.5000)")
    assert found["excluded", "arriving"] == ("20", "0.2500", "0.2500", "+0.0000 (+0.0000 to +0.0000)")


def test_other_questions_are_not_compared(folder: Path) -> None:
    lines = gaps.compared(folder, "walk", "loo", [cell([0.5] * 39)], [cell([0.5] * 40)])
    assert [line[3] for line in lines] == ["other questions"] * 2
