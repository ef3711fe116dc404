"""Attribute queries: what is one, and what is said of what is none."""

from __future__ import annotations

import pytest

from openpersonalize.batch.attribute_query import MOST_ATTRIBUTES, parse_attributes
from openpersonalize.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('ITEMS.genres = "Comedy"', [("genres", "Comedy")]),
        ('items.BRAND="Jelly Belly" and Items.YEAR = 1995', [("BRAND", "Jelly Belly"), ("YEAR", "1995")]),
        (r'ITEMS.A = "say \"hi\" \\ AND" AND ITEMS.A = ""', [("A", r'say "hi" \ AND'), ("A", "")]),
        (" ITEMS . PRICE = -3.50\n", [("PRICE", "-3.50")]),
        ('ITEMS.ITEMS = "ITEMS" AND ITEMS.AND = "=" ', [("ITEMS", "ITEMS"), ("AND", "=")]),
    ],
)
def test_queries(text: str, found: list[tuple[str, str]]) -> None:
    assert parse_attributes(text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ITEMS.A = "x" OR ITEMS.B = "y"', "'OR' where AND is expected"),
        ('ITEMS.A IN ("x")', "wrong at '(\"x\")'"),
        ("ITEMS.A > 3", "wrong at '> 3'"),
        ('USERS.A = "x"', "columns of ITEMS, not of USERS"),
        ('A = "x"', "not of A"),
        ("", "the end where ITEMS is expected"),
        ('ITEMS.A = "x" AND', "the end where ITEMS"),
        ('ITEMS.A = "x', "wrong at '\"x'"),
        ("ITEMS.A = x", "'x' where a value in double quotes"),
        ("ITEMS.A = 3abc", "wrong at '3abc'"),
        ('ITEMS.A "x"', "where = is expected"),
        ('ITEMS = "x"', "where . is expected"),
        (" AND ".join(['ITEMS.A = "x"'] * (MOST_ATTRIBUTES + 1)), f"more than {MOST_ATTRIBUTES}"),
    ],
)
def test_what_is_none(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_attributes(text)
    assert told in caught.value.message
