"""What is said of header rows; how they are matched is tested with the reader."""

from __future__ import annotations

import pytest

from openpersonalize.datasets.header import header_problems, match_header
from openpersonalize.datasets.schemas import parse_schema

from .tabular import schema

SCHEMA = parse_schema(schema("Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long")))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            "customer,ITEM_ID,TIMESTAMP",
            "USER_ID: the column is missing; customer looks like it, call it USER_ID",
        ),
        ("USER_ID,ITEM_ID", "TIMESTAMP: the column is missing; the header is USER_ID,ITEM_ID"),
        (
            "USER_ID;ITEM_ID;TIMESTAMP",
            "(the columns look separated by semicolons; write commas between them)",
        ),
        ("USER_ID,ITEM_ID,TIMESTAMP,ITEM_ID", "ITEM_ID: the column stands twice"),
    ],
)
def test_problems_say_what_stands_there_instead(header: str, told: str) -> None:
    names = header.split(",")
    found = header_problems("f.csv", names, match_header(names, SCHEMA), "INTERACTIONS")
    assert found
    assert told in f"{found[0].column}: {found[0].what}"
    assert (found[0].file, found[0].line) == ("f.csv", 1)
