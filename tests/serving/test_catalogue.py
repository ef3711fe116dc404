"""Current records: which of bulk and put layer counts, and how fast a streamed record is there."""

import itertools
import json

import polars as pl
import pytest

from datasets.bulk import imported
from datasets.tabular import CATEGORICAL, schema
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.events.entries import Record
from openpersonalize.events.stores import open_live_log
from openpersonalize.serving.catalogue import Catalogue
from openpersonalize.settings import read_settings
from openpersonalize.storage.idtable import IdTable

STREAM = "arn:aws:personalize:eu-west-1:000000000000:dataset/shop/ITEMS"
TEXT = schema("Items", "ITEM_ID", ("GENRE", ["null", "string"], CATEGORICAL), ("PRICE", ["null", "float"]))
SCHEMA = parse_schema(TEXT)
IDS = IdTable.from_series(pl.Series(["a", "b", "c"]))


@pytest.fixture
def log(tmp_path):
    opened = open_live_log(read_settings({"data_dir": str(tmp_path)}, {}), SystemClock())
    yield opened
    opened.close()


def put(log, item, **columns):
    return log.append(STREAM, [Record(item, json.dumps(columns) if columns else None)]).result()


@pytest.fixture
def bulk(tmp_path):
    """Imports items of the given genres, all at 1.0; returns the snapshot."""
    numbers = itertools.count(1)

    def load(position=0, **genres):
        rows = [(item, genre, 1.0) for item, genre in genres.items()]
        return imported(tmp_path / f"bulk-{next(numbers)}", "ITEMS", TEXT, rows, position=position)

    return load


def genres(catalogue):
    return [catalogue.columns.text_at("GENRE", row) for row in range(len(IDS))]


def test_the_bulk_layer_alone(log, bulk):
    assert genres(Catalogue(log, STREAM, SCHEMA, IDS, bulk(a="x", b="y"))) == ["x", "y", None]


def test_no_data_at_all_is_null_everywhere(log):
    assert genres(Catalogue(log, STREAM, SCHEMA, IDS)) == [None, None, None]


def test_of_one_id_the_newer_write_counts(log, bulk):
    before = put(log, "a", GENRE="put before")
    put(log, "b", GENRE="put after")
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, bulk(before, a="imported", b="imported"))
    assert genres(catalogue) == ["imported", "put after", None]


def test_a_put_record_that_the_import_lacks_stays(log, bulk):
    position = put(log, "c", GENRE="put before")
    assert genres(Catalogue(log, STREAM, SCHEMA, IDS, bulk(position, a="x"))) == ["x", None, "put before"]


def test_a_streamed_record_replaces_the_whole_record(log, bulk):
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, bulk(a="x"))
    version = catalogue.columns.version
    catalogue.catch_up(put(log, "a", PRICE=9.5))
    assert genres(catalogue) == [None, None, None]
    assert catalogue.columns.text_at("PRICE", 0) == "9.5"
    assert catalogue.columns.version != version


def test_nothing_new_changes_nothing(log, bulk):
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, bulk(a="x"))
    columns = catalogue.columns
    catalogue.catch_up(catalogue.position)
    assert catalogue.columns is columns


def test_ids_outside_the_list_are_asked_one_by_one(log, bulk):
    put(log, "new", GENRE="fresh")
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, bulk(a="x", z="old"))
    catalogue.catch_up(put(log, "newer", GENRE="fresher"))
    catalogue.catch_up(put(log, "newer", GENRE="freshest"))
    found = catalogue.unlisted(["new", "newer", "nowhere", "z"])
    assert [found.text_at("GENRE", row) for row in range(4)] == ["fresh", "freshest", None, "old"]


def test_one_value(log, bulk):
    put(log, "new", GENRE="p|q")
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, bulk(a="x"))
    assert catalogue.value("a", "GENRE") == ("x",)
    assert catalogue.value("a", "PRICE") == 1.0
    assert catalogue.value("new", "GENRE") == ("p", "q")
    assert catalogue.value("b", "GENRE") is None
    assert catalogue.value("nowhere", "GENRE") is None


def test_without_a_list_it_holds_all_ids(log, bulk):
    put(log, "new", GENRE="fresh")
    catalogue = Catalogue(log, STREAM, SCHEMA, None, bulk(a="x", z="old"))
    assert list(catalogue.ids) == ["a", "new", "z"]


def test_records_of_unlisted_ids_are_bounded_and_the_newest_kept(log):
    catalogue = Catalogue(log, STREAM, SCHEMA, IDS, unlisted_bytes=20_000)
    for n in range(300):
        position = put(log, f"new-{n:03}", GENRE="g" * 200)
    catalogue.catch_up(position)
    assert catalogue.outside().estimated_size() <= 20_000
    assert catalogue.outsider("new-299") != {}
    assert catalogue.outsider("new-000") == {}
    again = Catalogue(log, STREAM, SCHEMA, IDS, unlisted_bytes=20_000)
    assert again.outside().estimated_size() <= 20_000
    assert again.outsider("new-299") != {}
