"""Two layers read as one: the record written last is in force, against a slow model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.bulk import imported
from datasets.tabular import schema
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.datasets.tables import table_types
from openpersonalize.events.entries import Record
from openpersonalize.events.layers import current_records
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.stores import open_live_log
from openpersonalize.settings import read_settings

TEXT = schema("Items", "ITEM_ID", ("X", ["null", "int"]))
LATER = schema("Items", ("Y", ["null", "string"]), "ITEM_ID", ("X", ["null", "int"]))
SCHEMA = parse_schema(TEXT)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveLog]:
    folder = tmp_path_factory.mktemp("log")
    opened = open_live_log(read_settings({"data_dir": str(folder)}, {}), SystemClock())
    yield opened
    opened.close()


class Dataset:
    """A dataset in its two layers, and what it should hold: of each id the record written last."""

    def __init__(self, log: LiveLog, folder: Path) -> None:
        self.log = log
        self.folder = folder / f"dataset-{next(_numbers)}"
        self.folder.mkdir()
        self.stream = f"arn:aws:personalize:us-east-1:000000000000:dataset/{self.folder.name}/ITEMS"
        self.snapshot: Snapshot | None = None
        self._put: dict[str, int] = {}
        self._bulk: dict[str, int] = {}
        self._turn = itertools.count(1)

    def put(self, ids: list[str]) -> None:
        turn = next(self._turn)
        self.log.append(self.stream, [Record(i, json.dumps({"X": turn})) for i in ids]).result()
        self._put |= dict.fromkeys(ids, turn)

    def load(self, ids: list[str], *, full: bool, text: str = TEXT) -> None:
        """Import records; with FULL they are all there is in bulk afterwards."""
        turn = next(self._turn)
        frame = pl.DataFrame({"ITEM_ID": ids, "X": [turn] * len(ids)}, schema=table_types(SCHEMA))
        if text == LATER:
            frame = frame.with_columns(Y=pl.lit(None, dtype=pl.String))
        self.snapshot = imported(
            self.folder / str(turn),
            "ITEMS",
            text,
            frame,
            previous=None if full else self.snapshot,
            position=self.log.position(),
            compact_after=2,
        )
        if full:
            self._bulk = {}
        self._bulk |= dict.fromkeys(ids, turn)

    def expected(self) -> dict[str, int]:
        """The turn of the last write by id, which is its value too."""
        return {i: max(self._put.get(i, 0), self._bulk.get(i, 0)) for i in {*self._put, *self._bulk}}

    def frame(self, text: str = TEXT) -> pl.DataFrame:
        position = self.log.position()
        frame = current_records(self.log, self.stream, parse_schema(text), self.snapshot, position)
        assert dict(frame.schema) == table_types(parse_schema(text))
        assert frame["ITEM_ID"].is_unique().all()
        return frame


@pytest.fixture
def dataset(log: LiveLog, tmp_path: Path) -> Dataset:
    return Dataset(log, tmp_path)


some_ids = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5)
writes = st.lists(st.tuples(st.sampled_from(["put", "full", "incremental", "later"]), some_ids), max_size=9)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(writes)
def test_of_each_id_the_record_written_last(
    log: LiveLog,
    tmp_path_factory: pytest.TempPathFactory,
    story: list[tuple[str, list[str]]],
) -> None:
    dataset = Dataset(log, tmp_path_factory.mktemp("story"))
    text = TEXT
    for write, ids in story:
        if write == "put":
            dataset.put(ids)
        else:
            text = LATER if write == "later" else text
            dataset.load(ids, full=write == "full" or dataset.snapshot is None, text=text)
        assert dict(dataset.frame().select("ITEM_ID", "X").rows()) == dataset.expected()


def test_an_import_does_not_renew_the_rows_it_lacks(dataset: Dataset) -> None:
    dataset.load(["a", "b", "c"], full=True)
    dataset.put(["a", "b"])
    dataset.load(["b", "c"], full=False)
    assert sorted(dataset.frame().rows()) == [("a", 2), ("b", 3), ("c", 3)]
    dataset.load(["a"], full=True)
    assert sorted(dataset.frame().rows()) == [("a", 4), ("b", 2)]


def test_a_streamed_record_replaces_the_whole_row(dataset: Dataset) -> None:
    dataset.load(["a"], full=True)
    dataset.log.append(dataset.stream, [Record("a", None)]).result()
    assert dataset.frame().rows() == [("a", None)]


def test_the_log_is_read_up_to_a_place(dataset: Dataset) -> None:
    dataset.load(["a"], full=True)
    dataset.put(["a"])
    then = dataset.log.position()
    dataset.put(["a", "b"])
    assert current_records(dataset.log, dataset.stream, SCHEMA, dataset.snapshot, then).rows() == [("a", 2)]
    assert current_records(dataset.log, dataset.stream, SCHEMA, dataset.snapshot, 0).rows() == [("a", 1)]


def test_nothing_was_ever_written(dataset: Dataset) -> None:
    assert dataset.frame().height == 0
    assert dataset.frame(LATER).columns == ["Y", "ITEM_ID", "X"]
