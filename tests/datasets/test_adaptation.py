from __future__ import annotations

import gzip
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
        ("user,item\n1,2\n", "no column looks like TIMESTAMP; its header is user, item"),
        ("user,item,ts\n1,2,soon\n", "the column ts has no times that are understood, such as 'soon'"),
        ("user,item,ts\n,2,5\n1,2,5\n", "1 of 2 rows have no usable USER_ID, ITEM_ID, TIMESTAMP"),
        ("user,item,ts\n1,2,5,6,7\n", "cannot be read as a table"),
        (b"PK\x03\x04", "an Excel workbook"),
    ],
)
def test_what_cannot_be_adapted_says_why(content: str | bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        adapted(tmp_path, content)
    assert sentence in refused.value.message
