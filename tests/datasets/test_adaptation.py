from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from openpersonalize.datasets.adaptation import Adaptation
from openpersonalize.errors import InvalidInput

ROWS = [("u1", "p1", "01.04.2024 12:00", "view"), ("u2", "p2", "02.04.2024 12:00", "buy")]
HEADER = ("Customer ID", "sku", "Created at", "event")
WRITTEN = [("u1", "p1", "1711972800", "view"), ("u2", "p2", "1712059200", "buy")]


def text(rows: list[tuple[str, ...]], header: tuple[str, ...] = HEADER, separator: str = ",") -> str:
    return "".join(separator.join(row) + "\n" for row in (header, *rows))


def adapted(folder: Path, content: str | bytes, kind: str | None = None, name: str = "f.csv") -> Adaptation:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    made = Adaptation.of(folder / name, folder, kind)
    made.write(folder / "out.csv")
    return made


def written(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "out.csv", infer_schema=False)


@pytest.mark.parametrize(
    "content",
    [
        text(ROWS),
        text(ROWS, separator=";"),
        text(ROWS, separator="\t"),
        "sep=;\n" + text(ROWS, separator=";"),
        text(ROWS).replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + text(ROWS).encode(),
        text(ROWS).encode("utf-16"),
        text(ROWS).encode("utf-16-be"),
        gzip.compress(text(ROWS, separator=";").encode()),
    ],
)
def test_any_usual_form_becomes_one(content: str | bytes, tmp_path: Path) -> None:
    made = adapted(tmp_path, content)
    assert made.dataset_type == "INTERACTIONS"
    assert (made.rows, made.left_out) == (2, 0)
    assert written(tmp_path).columns == ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"]
    assert written(tmp_path).rows() == WRITTEN
    assert made.types == {"buy": 1, "view": 1}
    assert any("dates like 01.04.2024 12:00 (day, month, year; UTC)" in line for line in made.words())


def test_ids_are_mended_and_rows_without_one_left_out(tmp_path: Path) -> None:
    rows = [(f" {k}.0", "p,1" if k else "NULL", "1711972800000", "") for k in range(10)]
    content = "user;item;ts;type\n" + "".join(";".join(row) + "\n" for row in rows)
    made = adapted(tmp_path, content.replace("p,1", "p1"))
    assert (made.rows, made.left_out) == (9, 1)
    assert written(tmp_path)["USER_ID"].to_list() == [f"{k}" for k in range(1, 10)]
    assert set(written(tmp_path)["EVENT_TYPE"]) == {"other"}


def test_blanks_around_ids_of_floats_are_found(tmp_path: Path) -> None:
    made = adapted(tmp_path, "user,item,ts\n" + "1.0,a,5\n2.0,b,6\n")
    assert made.floats == ("USER_ID",)
    assert "USER_ID: ids like 101.0 become 101" in made.words()
    assert written(tmp_path)["USER_ID"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, ["view", "buy"]) for name in ("kind", "action", "type", "event", "Event-Kind", "verb")),
        ("was_geschah", ["add_to_cart", "Purchase"]),
    ],
)
def test_event_types_under_usual_names_or_by_what_they_say(
    name: str, values: list[str], tmp_path: Path
) -> None:
    rows = "".join(f"u{k},p{k},171197280{k},{values[k % 2]}\n" for k in range(4))
    made = adapted(tmp_path, f"user,item,ts,{name}\n{rows}")
    assert written(tmp_path)["EVENT_TYPE"].to_list() == values * 2
    assert made.types == dict.fromkeys(sorted(values), 2)


def test_a_column_that_says_anything_else_is_no_event_type(tmp_path: Path) -> None:
    made = adapted(tmp_path, "user,item,ts,shop\nu1,p1,1711972800,Wien\nu2,p2,1711972801,Graz\n")
    assert "EVENT_TYPE" not in made.columns


@pytest.mark.parametrize(
    ("values", "plain", "said"),
    [
        (["12,50", "1.234,99", "3"], ["12.50", "1234.99", "3"], "decimal comma"),
        (["0,5", "", "7,25"], ["0.5", None, "7.25"], "decimal comma"),
        (["€ 12,50", "9 €", "1 299,00 EUR"], ["12.50", "9", "1299.00"], "decimal comma"),
        (["$1,234.50", "$12.00", "$3"], ["1234.50", "12.00", "3"], "decimal point"),
        (["1,234,567", "12", "1,000"], ["1234567", "12", "1000"], "decimal point"),
        (["12.50", "3", "-1"], ["12.50", "3", "-1"], ""),
        (["1,234", "2,500", "3,000"], ["1,234", "2,500", "3,000"], ""),
        (["12,50", "on request", "3"], ["12,50", "on request", "3"], ""),
    ],
)
def test_prices_become_numbers(values: list[str], plain: list[str | None], said: str, tmp_path: Path) -> None:
    rows = "".join(f"p{k};{value}\n" for k, value in enumerate(values))
    made = adapted(tmp_path, f"item;price\n{rows}", "ITEMS")
    assert written(tmp_path)["PRICE"].to_list() == plain
    assert [said in line for line in made.words() if line.startswith("PRICE: ")] == ([True] if said else [])


def test_a_price_that_is_none_far_down_stays_as_it_is(tmp_path: Path) -> None:
    rows = "".join(f"p{k};1,{k % 100:02d}\n" for k in range(10_000))
    adapted(tmp_path, f"item;price\n{rows}last;ask\n", "ITEMS")
    assert written(tmp_path)["PRICE"][-2:].to_list() == ["1.99", "ask"]


def test_values_of_events_with_thousands(tmp_path: Path) -> None:
    adapted(tmp_path, 'user,item,ts,value\nu,p,1711972800,"1.234,50"\nu,q,1711972801,"2,5"\n')
    assert written(tmp_path)["EVENT_VALUE"].to_list() == ["1234.5", "2.5"]


def test_rare_event_types_are_put_together(tmp_path: Path) -> None:
    rows = [(f"u{k}", "i", "5", f"kind{k % 9}") for k in range(90)] + [("u", "i", "5", "kind0")]
    made = adapted(tmp_path, text(rows))
    assert written(tmp_path)["EVENT_TYPE"].n_unique() == 8
    assert any("2 rarer ones become other" in line for line in made.words())


def test_metadata_keeps_its_columns_and_interactions_do_not(tmp_path: Path) -> None:
    made = adapted(tmp_path, 'id,Unit price (EUR),"Long, name"\n1,2.5,"a, b"\n', "ITEMS")
    assert made.own == ("UNIT_PRICE_EUR", "LONG_NAME")
    assert written(tmp_path).rows() == [("1", "2.5", "a, b")]
    made = adapted(tmp_path, "user,item,ts,basket\nu,i,5,b\n")
    assert made.unused == ("basket",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n1,2\n", "f.csv has neither the columns of interactions"),
        (
            "user,item\n1,2\n",
            "no column looks like TIMESTAMP; its header is user, item, of which user is USER_ID",
        ),
        ("user,item,datum\n1,2,3\n", "to TIMESTAMP (or time, ts, eventtime,"),
        ("datum,kundennr,artikelnr\n1,2,3\n", "to USER_ID (or user, customerid, customer,"),
        ("user,item,ts\n1,2,soon\n", "the column ts has no times that are understood, such as 'soon'"),
        ("user,item,date,time\n1,2,01.04.2024,10:00\n", "join date and time to one column of dates like"),
        (
            "user,item,ts\n1,2,05.01.2026\n1,3,2026-01-06\n",
            "form, such as '05.01.2026' and '2026-01-06'. Write all",
        ),
        ("user,item,ts\n1,2,05-01-26\n", "four digits of the year"),
        ("user,item,ts\n,2,5\n1,2,5\n", "1 of 2 rows have no usable USER_ID, ITEM_ID, TIMESTAMP"),
        ("user,item,ts\n1,2,5,6,7\n", "cannot be read as a table"),
        ("", "cannot be read as a table"),
        (b"PK\x03\x04", "an Excel workbook"),
        (gzip.compress(text(ROWS).encode())[:-9], "cannot be unpacked"),
        (b"\xff\xfe" + "user,item".encode("utf-16-le") + b"\x00\xd8a\x00", "goes on otherwise"),
    ],
)
def test_what_cannot_be_adapted_says_why(content: str | bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        adapted(tmp_path, content)
    assert sentence in refused.value.message


def test_types_that_say_the_contrary_are_warned_of(tmp_path: Path) -> None:
    rows = [(f"u{k}", "i", "5", ("view", "order_returned", "Purchase")[k % 3]) for k in range(9)]
    told = adapted(tmp_path, text(rows)).words()[-1]
    assert told.startswith("WARNING: 3 events of type order_returned seem to say that an item is not wanted")
    config = json.loads(told.partition("solutionConfig=")[2])
    assert config == {
        "eventsConfig": {"eventParametersList": [{"eventType": "Purchase"}, {"eventType": "view"}]}
    }
    plain = adapted(tmp_path, text([(*row[:3], "view") for row in rows])).words()
    assert not any("WARNING" in line for line in plain)
