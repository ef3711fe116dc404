"""Reading `filterValues`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.filters.values import number, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('"comedy","drama","horror"', ("comedy", "drama", "horror")),
        ('"value1, value2"', ("value1, value2",)),
        ('"hats", "shoes" ,\t"watch" ', ("hats", "shoes", "watch")),
        ("1633240824", ("1633240824",)),
        ('"1633240824"', ("1633240824",)),
        (" hats , new shoes ", ("hats", "new shoes")),
        ('bare,"quoted"', ("bare", "quoted")),
        (r'"say \"hi\"", "a\\b"', ('say "hi"', "a\\b")),
        (r"a\b", ("a\\b",)),
        ('""', ("",)),
        ('" padded "', (" padded ",)),
        ("'single'", ("'single'",)),
        ('"東京"', ("東京",)),
        ('"line\nbreak"', ("line\nbreak",)),
    ],
)
def test_values(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize(
    "text",
    [
        '"United States""',
        '"a',
        'a"',
        'a"b"',
        '"a"b',
        '"a" b',
        ",",
        "a,",
        ",a",
        "a,,b",
        '"a",',
        " ",
        '"a\\"',
        '""""',
        '"a" "b"',
        "\ud800",
    ],
)
def test_malformed(text):
    assert parse_values(text) is None


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_quoting_keeps_every_value(values):
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    assert parse_values(" , ".join(quoted)) == tuple(values)


@settings(deadline=None)
@given(st.text(st.sampled_from('ab ,"\\'), max_size=1000))
def test_any_text_is_read_or_refused(text):
    values = parse_values(text)
    assert values is None or values


@pytest.mark.parametrize(
    "text", [" " * 1000 + '"', "a" * 999 + '"', '"' + "\\" * 999, '"a" ' * 250, ", " * 500]
)
def test_long_nonsense_is_refused(text):
    assert parse_values(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-2.50", -2.5),
        (" 10 ", 10),
        ("+3", 3),
        ("1e3", 1000),
        (".5", 0.5),
        ("7.", 7),
        ("1633240824", 1633240824),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("1,5", None),
        ("0x10", None),
        ("٣", None),
        ("1e999", None),
        ("five", None),
    ],
)
def test_numbers(text, value):
    assert number(text) == value
