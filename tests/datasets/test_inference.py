"""Schemas that files are given by their headers and values."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from openpersonalize.datasets.inference import infer_schema
from openpersonalize.errors import InvalidInput

WORDS = [f"word{number}" for number in range(18)]


def inferred(kind: str, header: str, *rows: str) -> dict[str, Any]:
    content = "\n".join([header, *rows, ""]).encode()
    record = json.loads(infer_schema(lambda: io.BytesIO(content), "file.csv", kind))
    return {field.pop("name"): field for field in record["fields"]}


def nullable(kind: str, **flags: bool) -> dict[str, Any]:
    return {"type": ["null", kind], **flags}


def test_reserved_columns_have_their_types_in_any_case() -> None:
    found = inferred("INTERACTIONS", "user_id,ITEM_ID,Timestamp,EVENT_TYPE,event_value", "1,2,3,buy,4")
    assert found == {
        "USER_ID": {"type": "string"},
        "ITEM_ID": {"type": "string"},
        "TIMESTAMP": {"type": "long"},
        "EVENT_TYPE": {"type": "string"},
        "EVENT_VALUE": nullable("float"),
    }


def test_the_name_of_an_order_does_not_train() -> None:
    rows = [f"u,i,{k},{k % 3},{k % 2}" for k in range(20)]
    found = inferred("INTERACTIONS", "USER_ID,ITEM_ID,TIMESTAMP,ORDER_ID,DEVICE", *rows)
    assert found["ORDER_ID"] == nullable("string")
    assert found["DEVICE"] == nullable("long")


def test_own_columns_by_their_values() -> None:
    header = "ITEM_ID,PRICE,STOCK,NEW,BRAND,SHOP_ID,LINK,TITLE,NOTE,CREATION_TIMESTAMP"
    rows = [
        f"i{k},{k}.5,{k if k else ''},{'true' if k % 2 else 'false'},b{k % 3},{k % 4},"
        f"http://{k},{' '.join(WORDS[k : k + 4])},,{k}"
        for k in range(12)
    ]
    assert inferred("ITEMS", header, *rows) == {
        "ITEM_ID": {"type": "string"},
        "PRICE": nullable("float"),
        "STOCK": nullable("long"),
        "NEW": nullable("boolean"),
        "BRAND": nullable("string", categorical=True),
        "SHOP_ID": nullable("string", categorical=True),
        "LINK": nullable("string"),
        "TITLE": nullable("string", textual=True),
        "NOTE": nullable("string", categorical=True),
        "CREATION_TIMESTAMP": nullable("long"),
    }


def test_numbers_that_32_bits_do_not_hold_are_doubles() -> None:
    found = inferred("ITEMS", "ITEM_ID,A,B", "a,1.5,1.5", "b,3.4028235e38,-1e39")
    assert (found["A"], found["B"]) == (nullable("float"), nullable("double"))


def test_only_one_column_is_prose_and_only_of_items() -> None:
    rows = [f"i{k},{' '.join(WORDS[k : k + 4])},{' '.join(WORDS[k : k + 6])}" for k in range(10)]
    found = inferred("ITEMS", "ITEM_ID,TITLE,DESCRIPTION", *rows)
    assert found["DESCRIPTION"] == nullable("string", textual=True)
    assert found["TITLE"] == nullable("string")
    assert inferred("USERS", "USER_ID,ABOUT", *(row.rsplit(",", 1)[0] for row in rows))["ABOUT"] == nullable(
        "string"
    )


def test_a_late_word_makes_a_column_of_numbers_text(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"u{k},{k % 5}" for k in range(50)]
    assert inferred("USERS", "USER_ID,LEVEL", *rows)["LEVEL"] == nullable("long")
    assert inferred("USERS", "USER_ID,LEVEL", *rows, "u99,high")["LEVEL"] == nullable(
        "string", categorical=True
    )
    monkeypatch.setattr("openpersonalize.datasets.inference.MOST_DIFFERENT", 3)  # too many to be counted
    assert inferred("USERS", "USER_ID,LEVEL", *rows, "u99,high")["LEVEL"] == nullable("string")


@pytest.mark.parametrize(
    ("kind", "header", "told"),
    [
        (
            "INTERACTIONS",
            "USER_ID,ITEM,TIMESTAMP",
            "file.csv, line 1: the header lacks ITEM_ID; the header is USER_ID",
        ),
        ("USERS", "USER_ID,user_id,AGE", "names USER_ID twice"),
        ("USERS", "USER_ID,AGE,AGE", "names AGE twice"),
        ("USERS", "USER_ID", "at least one metadata field"),
        ("INTERACTIONS", "USER_ID,ITEM_ID,TIMESTAMP,A,B,C,D,E,F", "schema file"),
        ("USERS", "", "file.csv, line 1"),
    ],
)
def test_headers_that_cannot_be(kind: str, header: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=r"file\.csv") as caught:
        inferred(kind, header)
    assert told in caught.value.message
