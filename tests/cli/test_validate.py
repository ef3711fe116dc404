"""``openpersonalize validate``, run on files as people have them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from openpersonalize.cli.main import main

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"


def rows(count: int = 1000) -> list[str]:
    return [f"u{k % 50},i{k % 20},{1_700_000_000 + k},view" for k in range(count)]


def run(folder: Path, files: dict[str, str | bytes], *words: str) -> Result:
    paths = []
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(str(folder / name))
    return CliRunner().invoke(main, ["validate", *paths, *words])


def text(*lines: str, header: str = HEADER) -> str:
    return "\n".join((header, *lines)) + "\n"


def record(folder: Path, files: dict[str, str | bytes], *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(folder, files, "--json", *words).stdout)
    return found


def test_good_files_pass_and_tell_their_schemas(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "events.csv": text(*rows()),
        "items.csv": "ITEM_ID,GENRE\n" + "".join(f"i{k},{'ab'[k % 2]}\n" for k in range(20)),
        "users.csv": "USER_ID,AGE\nu1,20\nu2,30\n",
    }
    made = run(tmp_path, files)
    assert made.exit_code == 0, made.output
    assert "events.csv: Interactions, 1,000 rows, 0 problems" in made.output
    assert "Of the 20 items in the interactions, 20 are in the Items dataset" in made.output
    assert "WARNING: of the 50 users in the interactions, 2 are in the Users dataset" in made.output
    found = record(tmp_path, files)
    assert found["ok"] is True
    names = [[one["name"] for one in file["schema"]["fields"]] for file in found["files"]]
    assert names == [HEADER.split(","), ["ITEM_ID", "GENRE"], ["USER_ID", "AGE"]]


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    wrong = [
        "u1,i1,1711929600000,view",
        "u1,,1711929600,view",
        '"u1", "i1",1711929600,view',
        "u1,i1,2024-04-01,view",
        "u1,i1,NULL,view",
        "u1,i1",
    ]
    items = "ITEM_ID,PRICE,PRICE\na,1,2\n"
    found = record(tmp_path, {"events.csv": text(*wrong, *rows()), "items.csv": items})
    assert found["ok"] is False
    told = [(one["line"], one["column"]) for one in found["files"][0]["problems"]]
    assert told == [
        (2, "TIMESTAMP"),
        (3, "ITEM_ID"),
        (4, "ITEM_ID"),
        (5, "TIMESTAMP"),
        (6, "TIMESTAMP"),
        (7, "TIMESTAMP"),
    ]
    assert [one["column"] for one in found["files"][1]["problems"]] == ["PRICE"]
    made = run(tmp_path, {"events.csv": text(*wrong)})
    assert made.exit_code == 1
    assert "line 2, column TIMESTAMP: 1711929600000 is not in seconds since 1970" in made.output
    assert "these look like milliseconds: divide by 1,000" in made.output


def test_usual_names_are_read_as_what_they_mean(tmp_path: Path) -> None:
    named = text("u1,7,yesterday,view", header="customer_id,sku,created_at,event")
    problems = record(tmp_path, {"orders.csv": named})["files"][0]["problems"]
    assert [(one["line"], one["column"]) for one in problems] == [
        (1, "USER_ID"), (1, "ITEM_ID"), (1, "TIMESTAMP"), (2, "TIMESTAMP")
    ]  # fmt: skip
    assert "sku looks like it, call it ITEM_ID" in problems[1]["what"]


def test_a_file_that_quickstart_takes_is_said_to_be_one(tmp_path: Path) -> None:
    """An import refuses it, and how it is understood by those who convert it is told."""
    orders = "".join(f"{k};c{k % 50};p{k % 20};0{1 + k % 9}.04.2024 10:{k % 60:02d}\n" for k in range(1000))
    files: dict[str, str | bytes] = {"orders.csv": "Order;Customer ID;SKU;Created at\n" + orders}
    made = run(tmp_path, files)
    assert made.exit_code == 1
    told = made.output.partition(
        "`openpersonalize quickstart` and `openpersonalize import --convert` read it"
    )[2]
    assert "Customer ID is USER_ID, SKU is ITEM_ID, Created at is TIMESTAMP" in told
    assert "dates like 01.04.2024 10:00" in told
    (one,) = record(tmp_path, files)["files"]
    assert one["converted"][0] == "1,000 rows"
    assert one["problem_count"] >= 3


def test_a_file_in_windows_1252_is_read_right(tmp_path: Path) -> None:
    products = "Größe;Artikel;SKU\n" + "".join(f"{k};Schälmesser {k};p{k}\n" for k in range(20))
    (one,) = record(tmp_path, {"products.csv": products.encode("windows-1252")})["files"]
    assert one["datasetType"] == "Items"
    assert "read as windows-1252, for it is not UTF-8 (such as Größe)" in one["converted"][1]


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("user;item;when", "u;i;05-01-26 01:22", "four digits of the year"),
        ("user;item;date;time", "u;i;05.01.2026;01:22", "join date and time to one column"),
        ("user;item;when", "u;i;05. Januar 2026", "has no times that are understood"),
        ("datum;kundennr;artikelnr", "05.01.2026;u;i", "to USER_ID (or user, customerid,"),
    ],
)
def test_what_quickstart_does_not_read_either_is_told(
    header: str, row: str, told: str, tmp_path: Path
) -> None:
    files: dict[str, str | bytes] = {"orders.csv": text(row, header=header)}
    made = run(tmp_path, files)
    assert made.exit_code == 1
    assert told in made.output.partition("`openpersonalize import --convert` do not read it either:")[2]
    (one,) = record(tmp_path, files)["files"]
    assert told in one["not_converted"]


def test_times_that_are_not_read_are_not_the_same(tmp_path: Path) -> None:
    made = run(tmp_path, {"events.csv": text(*rows(), "2,b,06.07.2026,view", "2,b,16/07/2026,view")})
    assert "the same event as another" not in made.output
    for date in ("06.07.2026", "16/07/2026"):
        assert f'"{date}" is not in seconds since 1970; write a number like 1711929600' in made.output


@pytest.mark.parametrize("content", [gzip.compress(b"x"), text(*rows(5)).encode("utf-16")])
def test_the_remedy_of_a_form_is_told_alone(content: bytes, tmp_path: Path) -> None:
    assert "WINDOWS-1252" not in run(tmp_path, {"events.csv": content}).output


def test_a_file_that_nobody_reads_or_that_is_only_small_is_not(tmp_path: Path) -> None:
    for content in (text(*rows(5)), text("u1,i1,yesterday,view"), text(*rows())):
        (one,) = record(tmp_path, {"orders.csv": content})["files"]
        assert one["converted"] is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(text(*rows()).encode()), "packed with gzip"),
        (text(*rows()).encode("utf-16"), "UTF-16"),
        (text(*rows()).replace(",", ";"), "semicolons"),
        (b"", "the file is empty"),
        (text(), "Input CSV has no records."),
        (text(*rows(999)), "fewer than 1000 interactions: there are 999."),
        (text(*rows(10) * 110), "there are 10, and 1,090 more that are the same event as another"),
        (text(*(f"u{k % 24},i,{k},view" for k in range(1000))), "fewer than 25 users with at least 2"),
        (text(*(f"u{k % 50},i,{k},kind{k % 10}" for k in range(1000))), "together at most 10 can train"),
        (text(*rows(), header="USER_ID,ITEM_ID,TIMESTAMP,ITEM_ID"), "ITEM_ID: the column stands twice"),
    ],
)
def test_files_that_no_import_or_training_takes(content: str | bytes, told: str, tmp_path: Path) -> None:
    made = run(tmp_path, {"events.csv": content})
    assert made.exit_code == 1, made.output
    assert told in made.output


def test_what_would_be_let_in_is_told(tmp_path: Path) -> None:
    made = run(tmp_path, {"events.csv": text(*rows(), "u1,NULL,4000000000,view", *rows(3))})
    assert made.exit_code == 0, made.output
    for told in (
        'column ITEM_ID: 1 row with "NULL"',
        "column TIMESTAMP: 1 row from the future",
        "3 rows are the same event as another",
    ):
        assert told in made.output


def test_small_data_passes_with_the_switch(tmp_path: Path) -> None:
    assert run(tmp_path, {"events.csv": text(*rows(5))}, "--minimum-data", "off").exit_code == 0


def test_a_schema_of_ones_own_rules(tmp_path: Path) -> None:
    types = {"ITEM_ID": "string", "PRICE": "int", "SIZE": "string"}
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    schema = {"type": "record", "name": "Items", "version": "1.0", "fields": fields}
    (tmp_path / "items.avsc").write_text(json.dumps(schema))
    words = ("--schema", str(tmp_path / "items.avsc"))
    problems = record(tmp_path, {"things.csv": "ITEM_ID,PRICE\na,1.5\n"}, *words)["files"][0]["problems"]
    assert [(one["line"], one["column"]) for one in problems] == [(1, "SIZE"), (2, "PRICE")]


@pytest.mark.parametrize(
    ("files", "words", "told"),
    [
        ({"a.csv": HEADER, "b.csv": "x,y\n1,2\n"}, (), "b.csv has neither the columns"),
        ({"a.csv": HEADER, "b.csv": HEADER}, (), "Two of the files look like Interactions"),
        ({"a.csv": HEADER}, ("--type", "Things"), "--type is one of Interactions"),
        ({"a.csv": HEADER}, ("--schema", "a.csv"), "not valid JSON"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(
    files: dict[str, str | bytes],
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    made = run(tmp_path, files, *words)
    assert made.exit_code == 2
    assert told in made.output


def test_files_of_another_form_beside_others_are_told_as_problems(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "orders.csv": gzip.compress(text(*rows()).encode()),
        "products.csv": "ITEM_ID;NAME\na;b\n",
        "people.csv": "USER_ID,AGE\nu1,2\n",
    }
    made = run(tmp_path, files)
    assert made.exit_code == 1
    assert "orders.csv: Interactions, 0 rows, 1 problem" in made.output
    assert "products.csv: Items, 0 rows" in made.output
    assert "semicolons" in made.output
