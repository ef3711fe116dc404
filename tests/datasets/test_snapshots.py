"""Snapshots: what FULL and INCREMENTAL imports leave, which row wins, later schemas."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.snapshot_writer import SnapshotWriter
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.datasets.tables import table_types
from openpersonalize.storage.objects import LocalObjects
from openpersonalize.workflows.retention import remove_snapshot

from .bulk import imported as snapshot
from .tabular import schema

ITEMS = schema("Items", "ITEM_ID", ("X", ["null", "int"]))
INTERACTIONS = schema(
    "Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long"), ("EVENT_VALUE", ["null", "float"])
)


def bulk(of: Snapshot) -> list[tuple]:
    return of.bulk().collect().rows()


def effective(of: Snapshot) -> list[tuple]:
    return of.scan().collect().rows()


def test_duplicate_ids_of_one_import_stay_and_the_last_row_wins(tmp_path: Path):
    made = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1), ("j", 2)], [("i", 3), ("k", None)])
    assert bulk(made) == [("i", 1), ("j", 2), ("i", 3), ("k", None)]
    assert effective(made) == [("j", 2), ("i", 3), ("k", None)]
    assert (made.rows, made.appended, made.dataset_type, made.schema_text) == (4, 4, "ITEMS", ITEMS)


def test_incremental_replaces_rows_of_the_same_id(tmp_path: Path):
    first = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1), ("j", 2), ("i", 3)])
    second = snapshot(tmp_path / "b", "ITEMS", ITEMS, [("i", 4), ("l", 5)], previous=first)
    third = snapshot(tmp_path / "c", "ITEMS", ITEMS, [("l", 6), ("l", 7)], previous=second)
    assert bulk(second) == [("j", 2), ("i", 4), ("l", 5)]
    assert (second.rows, second.appended) == (3, 2)
    assert bulk(third) == [("j", 2), ("i", 4), ("l", 6), ("l", 7)]
    assert effective(third) == [("j", 2), ("i", 4), ("l", 7)]
    assert bulk(first) == [("i", 1), ("j", 2), ("i", 3)]


def test_a_snapshot_names_the_parts_of_its_predecessor_and_outlives_it(tmp_path: Path):
    objects = LocalObjects(tmp_path)
    first = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1)])
    second = snapshot(tmp_path / "b", "ITEMS", ITEMS, [("j", 2)], previous=first)
    assert first.part_keys == {"parts/a"}
    assert second.part_keys == {"parts/a", "parts/b"}
    assert [path.name for path in (tmp_path / "parts/b").iterdir()] == ["part-00000.parquet"]
    assert remove_snapshot(objects, "snapshots/a", ["snapshots/a", "snapshots/b"]) == 0
    assert effective(second) == [("i", 1), ("j", 2)]
    assert not objects.exists("snapshots/a")
    third = snapshot(tmp_path / "c", "ITEMS", ITEMS, [("k", 3)])
    assert remove_snapshot(objects, "snapshots/b", ["snapshots/c"]) == 2
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["c"]
    assert effective(third) == [("k", 3)]
    assert remove_snapshot(objects, "snapshots/b", ["snapshots/c"]) == 0


@pytest.mark.parametrize("links", [True, False])
def test_parts_in_a_snapshots_own_folder_are_read_and_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
):
    """As releases before 0.2.0 left them."""

    def refused(*_: object) -> None:
        raise OSError("no links here")

    snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1)])
    folder = tmp_path / "snapshots/a"
    (tmp_path / "parts/a/part-00000.parquet").rename(folder / "part-00000.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["format"] = 1
    del manifest["parts"][0]["key"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    objects = LocalObjects(tmp_path)
    first = Snapshot.open(objects, "snapshots/a")
    assert effective(first) == [("i", 1)]
    if not links:
        monkeypatch.setattr(os, "link", refused)
    second = snapshot(tmp_path / "b", "ITEMS", ITEMS, [("j", 2)], previous=first)
    assert second.part_keys == {"parts/b"}
    assert remove_snapshot(objects, "snapshots/a", ["snapshots/b"]) == 0
    assert effective(second) == [("i", 1), ("j", 2)]


def test_an_import_that_runs_again_after_a_crash_has_its_own_rows(tmp_path: Path):
    objects = LocalObjects(tmp_path)
    text, types = ITEMS, table_types(parse_schema(ITEMS))
    cut_short = SnapshotWriter(objects, "snapshots/a", "ITEMS", text, position=0)
    cut_short.append(pl.DataFrame([("old", 1)], schema=types, orient="row"))
    cut_short.finish()
    cut_short.publish()
    objects.remove("snapshots/a")  # died before the manifest was published
    again = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("new", 2), ("newer", 3)])
    assert effective(again) == [("new", 2), ("newer", 3)]
    (key,) = again.part_keys
    assert key.startswith("parts/a.")


def test_an_import_that_runs_twice_is_published_once(tmp_path: Path):
    objects = LocalObjects(tmp_path)
    frame = pl.DataFrame([("i", 1)], schema=table_types(parse_schema(ITEMS)), orient="row")
    writers = [SnapshotWriter(objects, "snapshots/a", "ITEMS", ITEMS, position=0) for _ in range(2)]
    for writer in writers:
        writer.append(frame)
        writer.finish()
    for writer in writers:
        writer.publish()
        assert effective(Snapshot.open(objects, "snapshots/a")) == [("i", 1)]
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["a"]


def test_an_import_that_is_given_up_leaves_nothing(tmp_path: Path):
    writer = SnapshotWriter(LocalObjects(tmp_path), "snapshots/a", "ITEMS", ITEMS, position=0, part_rows=1)
    writer.append(pl.DataFrame([("i", 1)], schema=table_types(parse_schema(ITEMS)), orient="row"))
    writer.abandon()
    assert [path for path in (tmp_path / "staging").iterdir() if path.is_dir()] == []


def test_many_generations_become_one_again(tmp_path: Path):
    last: Snapshot | None = None
    for turn in range(8):
        last = snapshot(
            tmp_path / str(turn),
            "ITEMS",
            ITEMS,
            [("same", turn), (f"i{turn}", turn)],
            previous=last,
            compact_after=3,
        )
        assert len({part.generation for part in last.parts}) <= 3
    assert last is not None
    assert bulk(last) == [(f"i{k}", k) for k in range(7)] + [("same", 7), ("i7", 7)]


def test_each_record_knows_its_place_in_the_log(tmp_path: Path):
    def placed(of: Snapshot) -> list[tuple]:
        return of.records().select("ITEM_ID", "X", "#ARRIVAL").collect().rows()

    first = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1), ("j", 2), ("i", 3)], position=5)
    second = snapshot(tmp_path / "b", "ITEMS", ITEMS, [("j", 4)], previous=first, position=9)
    assert placed(first) == [("j", 2, 5), ("i", 3, 5)]
    assert placed(second) == [("i", 3, 5), ("j", 4, 9)]
    third = snapshot(
        tmp_path / "c", "ITEMS", ITEMS, [("k", 5)], previous=second, position=12, compact_after=2
    )
    assert {part.generation for part in third.parts} == {0, 1}, "the first two were written anew as one"
    assert placed(third) == [("i", 3, 5), ("j", 4, 9), ("k", 5, 12)]
    later = schema("Items", ("Y", ["null", "string"]), "ITEM_ID", ("X", ["null", "int"]))
    fourth = snapshot(tmp_path / "d", "ITEMS", later, [(None, "k", 6)], previous=third, position=20)
    assert placed(fourth) == [("i", 3, 5), ("j", 4, 9), ("k", 6, 20)]
    assert placed(snapshot(tmp_path / "e", "ITEMS", ITEMS, position=3)) == []


def test_interactions_are_appended_and_equal_ones_stored_once(tmp_path: Path):
    a, b, c, d = ("u", "i", 1, None), ("u", "i", 1, 2.0), ("v", "i", 1, None), ("v", "j", 2, 1.0)
    first = snapshot(tmp_path / "a", "INTERACTIONS", INTERACTIONS, [a, b, a], [c, b])
    assert bulk(first) == [a, b, c]
    assert (first.rows, first.appended) == (3, 5)
    second = snapshot(tmp_path / "b", "INTERACTIONS", INTERACTIONS, [c, d, d], [a], previous=first)
    assert bulk(second) == effective(second) == [a, b, c, d]
    assert (second.rows, second.appended) == (4, 4)
    assert second.histories().of("v")[1].tolist() == [1, 2]


def test_equal_rows_are_found_over_parts_and_in_several_passes(tmp_path: Path):
    rows = [(f"u{k % 40}", "i", k % 20, None) for k in range(200)]
    made = snapshot(
        tmp_path / "a",
        "INTERACTIONS",
        INTERACTIONS,
        *(rows[k : k + 7] for k in range(0, 200, 7)),
        part_rows=10,
    )
    assert bulk(made) == list(dict.fromkeys(rows))
    assert made.rows == sum(part.rows for part in made.parts) == 40


def test_under_a_later_schema_new_columns_are_null(tmp_path: Path):
    later = schema(
        "Items", ("Y", ["null", "string"]), "ITEM_ID", ("X", ["null", "int"]), ("Z", ["float", "null"])
    )
    first = snapshot(tmp_path / "a", "ITEMS", ITEMS, [("i", 1), ("j", 2)])
    read = first.scan(parse_schema(later)).collect()
    assert dict(read.schema) == table_types(parse_schema(later))
    assert (
        read.rows()
        == first.bulk(parse_schema(later)).collect().rows()
        == [(None, "i", 1, None), (None, "j", 2, None)]
    )
    second = snapshot(tmp_path / "b", "ITEMS", later, [("y", "i", 7, 0.5)], previous=first)
    assert bulk(second) == [(None, "j", 2, None), ("y", "i", 7, 0.5)]


def times(of: Snapshot) -> dict[str, list[int]]:
    """What everybody's interactions count as, in trainings and in the index, and that both agree."""
    found = of.counted().select("USER_ID", "TIMESTAMP").sort("USER_ID", "TIMESTAMP").collect()
    users: dict[str, list[int]] = {}
    for user, time in found.iter_rows():
        users.setdefault(user, []).append(time)
    assert {user: of.histories().of(user)[1].tolist() for user in users} == users
    return users


def test_rows_that_claim_the_future_count_as_of_the_newest_that_do_not(tmp_path: Path):
    rows = [
        ("u", "a", 100, None),
        ("u", "b", 5_000, None),
        ("v", "a", 300, None),
        ("v", "c", 1_000, None),
        ("w", "a", 9_000, None),
    ]
    first = snapshot(tmp_path / "a", "INTERACTIONS", INTERACTIONS, rows, moment=1_000)
    assert first.late == 2
    assert sorted(first.scan().collect()["TIMESTAMP"]) == [100, 300, 1_000, 5_000, 9_000]
    assert times(first) == {"u": [100, 1_000], "v": [300, 1_000], "w": [1_000]}
    # A later import is believed up to its own moment, and moves nothing of the earlier one.
    more = [("u", "c", 7_000, None), ("v", "b", 99_000, None)]
    second = snapshot(tmp_path / "b", "INTERACTIONS", INTERACTIONS, more, previous=first, moment=8_000)
    assert second.late == 1
    assert times(second) == {"u": [100, 1_000, 7_000], "v": [300, 1_000, 7_000], "w": [1_000]}
    # Of nothing but late rows the newest of what was there counts.
    alone = [("x", "a", 99_000, None)]
    third = snapshot(tmp_path / "c", "INTERACTIONS", INTERACTIONS, alone, previous=second, moment=9_000)
    assert times(third)["x"] == [7_000]
    gone = snapshot(
        tmp_path / "d",
        "INTERACTIONS",
        INTERACTIONS,
        previous=third,
        moment=10_000,
        without=pl.Series(["w"]),
    )
    assert times(gone) == {name: found for name, found in times(third).items() if name != "w"}
    only = snapshot(tmp_path / "e", "INTERACTIONS", INTERACTIONS, alone, moment=9_000)
    assert times(only) == {"x": [9_000]}


def test_where_nobody_claims_the_future_nothing_is_said_of_it(tmp_path: Path):
    made = snapshot(tmp_path / "a", "INTERACTIONS", INTERACTIONS, [("u", "a", 100, None)], moment=1_000)
    assert made.late == 0
    text = (made.folder / "manifest.json").read_text()
    assert "late" not in text


def test_an_empty_snapshot_can_be_read(tmp_path: Path):
    made = snapshot(tmp_path / "a", "ITEMS", ITEMS)
    assert made.scan().collect().schema == table_types(parse_schema(ITEMS))
    assert snapshot(tmp_path / "b", "INTERACTIONS", INTERACTIONS).histories().rows == 0


def test_action_interactions_are_all_kept(tmp_path: Path):
    text = schema("ActionInteractions", "USER_ID", "ACTION_ID", "EVENT_TYPE", ("TIMESTAMP", "long"))
    row = ("u", "a", "taken", 1)
    first = snapshot(tmp_path / "a", "ACTION_INTERACTIONS", text, [row, ("u", "b", "taken", 2)])
    second = snapshot(
        tmp_path / "b", "ACTION_INTERACTIONS", text, [row, ("w", "b", "viewed", 3)], previous=first
    )
    assert bulk(second) == [row, ("u", "b", "taken", 2), ("w", "b", "viewed", 3)]


def test_action_interactions_have_an_index_of_actions(tmp_path: Path):
    text = schema("ActionInteractions", "USER_ID", "ACTION_ID", "EVENT_TYPE", ("TIMESTAMP", "long"))
    made = snapshot(
        tmp_path / "a", "ACTION_INTERACTIONS", text, [("u", "b", "taken", 2), ("u", "a", "viewed", 1)]
    )
    indexed = made.histories()
    shutil.rmtree(made.folder / "histories")  # as releases wrote it that made none
    for histories in (indexed, made.histories()):
        item, time, event, _ = histories.of("u")
        assert [histories.items[one] for one in item.tolist()] == ["a", "b"]
        assert time.tolist() == [1, 2]
        assert [histories.event_types[one] for one in event.tolist()] == ["viewed", "taken"]
