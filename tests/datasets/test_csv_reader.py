"""Values by the schema's types, nulls, lengths and bounds; problems with their places."""

from __future__ import annotations

import io
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.csv_reader import CsvReader
from openpersonalize.datasets.csv_text import CsvText
from openpersonalize.datasets.header import match_header
from openpersonalize.datasets.problems import Problems
from openpersonalize.datasets.schemas import FLOAT_LIMIT, parse_schema

from . import tabular
from .tabular import CATEGORICAL, TEXTUAL, schema

NULLABLE = ["null", "string"]


class Read:
    """A CSV text read under a schema: `rows`, `problems` as (line, column, what), `reason`."""

    def __init__(self, text: str | bytes, schema_text: str, kind: str, block_bytes: int = 1 << 20) -> None:
        data = text.encode() if isinstance(text, str) else text
        listed: list[tuple[str, int, str, str]] = []
        problems = Problems(lambda *place: listed.append(place))
        self.reader = CsvReader(parse_schema(schema_text), kind, problems, block_bytes)
        self.rows = [
            row for frame, _ in self.reader.frames(io.BytesIO(data), "f.csv") for row in frame.rows()
        ]
        self.problems = [place[1:] for place in listed]
        self.count = problems.count
        self.reason = problems.reason() if problems.count else ""


def one_column(
    kind: object, value: str, flags: dict[str, bool] | None = None, block_bytes: int = 1 << 20
) -> Read:
    text = schema("Items", "ITEM_ID", ("X", kind, flags or {}))
    return Read(f"ITEM_ID,X\ni,{value}\n", text, "ITEMS", block_bytes)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("int", "12", 12),
        ("int", "-12", -12),
        ("int", "+7", 7),
        ("int", "12.0", 12),
        ("int", "12.", 12),
        ("int", " 12 ", 12),
        ("int", "007", 7),
        ("int", "2147483647", 2**31 - 1),
        ("int", "-2147483648", -(2**31)),
        ("int", '"5"', 5),
        ("long", "9223372036854775807", 2**63 - 1),
        ("long", "-9223372036854775808", -(2**63)),
        ("float", "15", 15.0),
        ("float", "1.5", 1.5),
        ("float", "-.5", -0.5),
        ("float", "5.", 5.0),
        ("float", "1e3", 1000.0),
        ("float", "3.4028235e38", 3.4028235e38),
        ("double", "1e39", 1e39),
        ("double", "1E-2", 0.01),
        ("float", " 1.5 ", 1.5),
        ("double", "9.99", 9.99),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("boolean", "True", True),
        ("boolean", "FALSE", False),
        ("string", " a ", " a "),
        ("string", "null", "null"),
        ("string", "NaN", "NaN"),
        ("string", "", ""),
        (NULLABLE, "", None),
        (NULLABLE, '""', None),
        (["int", "null"], "", None),
        (["float", "null"], '""', None),
        (["boolean", "null"], "", None),
        (["null", "int"], "3.00", 3),
        (["null", "float"], "3", 3.0),
    ],
)
def test_accepted_values(kind: object, value: str, stored: object):
    read = one_column(kind, value)
    assert read.problems == []
    assert read.rows == [("i", stored)]


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [
        ("int", "", "is empty"),
        ("float", "", "is empty"),
        ("boolean", "", "is empty"),
        ("int", '""', "is empty"),
        ("int", "x", '"x" is not a whole number of 32 bits'),
        ("int", "1.5", '"1.5" is not a whole number of 32 bits'),
        ("int", "1e3", '"1e3" is not a whole number of 32 bits'),
        ("int", "null", '"null" is not a whole number of 32 bits; this column may not be without'),
        (["null", "int"], "NULL", '"NULL" is not a whole number of 32 bits; leave the value empty'),
        (
            "float",
            '"1,5"',
            '"1,5" is not a finite number of 32 bits; write a decimal point and no separators',
        ),
        ("int", "2147483648", "2147483648 is not a whole number of 32 bits"),
        ("long", "9223372036854775808", '"9223372036854775808" is not a whole number of 64 bits'),
        ("float", "NaN", "nan is not a finite number of 32 bits"),
        ("float", "Infinity", "inf is not a finite number of 32 bits"),
        ("float", "1e999", "inf is not a finite number of 32 bits"),
        ("float", "1e39", "1e+39 is not a finite number of 32 bits"),
        (["null", "float"], "-3.4028236e38", '"-3.4028236e38" is not a finite number of 32 bits'),
        ("double", "1e309", "inf is not a finite number of 64 bits"),
        ("float", "1_000", '"1_000" is not a finite number of 32 bits'),
        ("float", "None", '"None" is not a finite number of 32 bits; this column may not be without'),
        ("float", "0x10", '"0x10" is not a finite number of 32 bits'),
        (["null", "float"], "inf", '"inf" is not a finite number of 32 bits'),
        (["null", "int"], "1 2", '"1 2" is not a whole number of 32 bits'),
        ("boolean", "1", '"1" is not true or false'),
    ],
)
def test_refused_values(kind: object, value: str, what: str):
    read = one_column(kind, value)
    assert read.problems == [(2, "X", what)]
    assert read.reason == (
        "Input csv has rows that do not conform to the dataset schema. Please ensure all required"
        " data fields are present and that they are of the type specified in the schema. 1 problems; first"
        f" 20: file f.csv, line 2, column X: {what}"
    )


@pytest.mark.parametrize("column", ["USER_ID", "ITEM_ID", "EVENT_TYPE"])
@pytest.mark.parametrize(
    ("value", "ok"), [("", False), ("x" * 256, True), ("é" * 256, True), ("x" * 257, False)]
)
def test_ids_and_event_types_have_1_to_256_characters(column: str, value: str, ok: bool):
    row = {"USER_ID": "u", "ITEM_ID": "i", "EVENT_TYPE": "click", "TIMESTAMP": "1"} | {column: value}
    text = schema("Interactions", "USER_ID", "ITEM_ID", "EVENT_TYPE", ("TIMESTAMP", "long"))
    read = Read(f"{','.join(row)}\n{','.join(row.values())}\n", text, "INTERACTIONS")
    assert [problem[:2] for problem in read.problems] == ([] if ok else [(2, column)])
    if len(value) > 256:
        assert read.reason.startswith(
            f"Length cannot be more than 256 characters for {column}. If no values exceed"
        )


@pytest.mark.parametrize("flags", [{}, CATEGORICAL])
def test_strings_have_at_most_1000_characters(flags: dict[str, bool]):
    assert one_column("string", "東" * 1000, flags).problems == []
    read = one_column("string", "x" * 1001, flags)
    assert read.problems == [(2, "X", "has 1001 characters, at most 1000 are allowed")]
    assert read.reason.startswith(
        "Length cannot be more than 1000 characters for X. If no values exceed the character limit, make"
        " sure your data follows the formatting guidelines listed in"
        " https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html. 1 problems; first 20: "
    )


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("x" * 30_000, 20_000),
        ("x" * 20_000, 20_000),
        ("東京" * 10_000, 7_000),
        ("のです。" * 1000, 4_000),
        ("é" * 30_000, 20_000),
        ("x" * 5000 + "東" * 4000, 9_000),
    ],
)
def test_textual_values_are_cut(value: str, left: int):
    read = one_column("string", value, TEXTUAL)
    assert read.problems == []
    assert read.rows == [("i", value[:left])]
    cut = [note for note in read.reader.notes() if "have been cut" in note]
    assert cut == (
        ["1 textual values were longer than is used and have been cut"] if len(value) > left else []
    )


@pytest.mark.parametrize(
    ("value", "ok"),
    [("0", True), ("4102444800", True), ("4102444801", False), ("-1", False), ("1586731606000", False)],
)
def test_timestamps_are_seconds(value: str, ok: bool):
    text = schema("Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long"))
    read = Read(f"USER_ID,ITEM_ID,TIMESTAMP\nu,i,{value}\n", text, "INTERACTIONS")
    assert bool(read.problems) != ok
    assert ok or read.reason.startswith(
        "Invalid timestamp in column TIMESTAMP. 1 problems; first 20: file f.csv, line 2"
    )


def test_a_column_called_timestamp_elsewhere_is_an_ordinary_number():
    read = Read("USER_ID,TIMESTAMP\nu,-5\n", schema("Users", "USER_ID", ("TIMESTAMP", "long")), "USERS")
    assert read.rows == [("u", -5)]


def test_empty_texts_are_counted():
    read = Read('ITEM_ID,X\na,\nb,x\nc,""\n', schema("Items", "ITEM_ID", "X"), "ITEMS")
    assert read.rows == [("a", ""), ("b", "x"), ("c", "")]
    assert list(read.reader.notes()) == ["column X: 2 empty values kept as empty text"]


def test_the_guides_own_example():
    text = schema(
        "Interactions",
        "USER_ID",
        "ITEM_ID",
        "EVENT_TYPE",
        ("EVENT_VALUE", ["float", "null"]),
        ("LOCATION", "string", CATEGORICAL),
        ("DEVICE", "string", CATEGORICAL),
        ("TIMESTAMP", "long"),
        "IMPRESSION",
    )
    read = Read(
        "USER_ID,ITEM_ID,EVENT_TYPE,EVENT_VALUE,LOCATION,DEVICE,TIMESTAMP,IMPRESSION\n"
        "35,73,click,,Ohio,Tablet,1586731606,73|70|17|95|96\n"
        "54,35,watch,0.75,Indiana,Cellphone,1586735164,35|82|78|57|20\n",
        text,
        "INTERACTIONS",
    )
    assert read.rows == [
        ("35", "73", "click", None, "Ohio", "Tablet", 1586731606, "73|70|17|95|96"),
        ("54", "35", "watch", 0.75, "Indiana", "Cellphone", 1586735164, "35|82|78|57|20"),
    ]


def test_columns_are_found_by_name_and_others_ignored():
    text = schema("Users", "USER_ID", ("AGE", "int"))
    assert Read("x,age,User_Id,AGE\nq,no number,u,7\n", text, "USERS").rows == [("u", 7)]


@pytest.mark.parametrize(
    ("header", "places", "missing", "duplicate"),
    [
        ("USER_ID,AGE", (0, 1), (), None),
        ("AGE,USER_ID", (1, 0), (), None),
        ("age,user_id,z", (1, 0), (), None),
        ("USER_ID,user_id,AGE", (0, 2), (), None),
        ("AGE", (0,), ("USER_ID",), None),
        ("", (), ("USER_ID", "AGE"), None),
        ("USER_ID,AGE,AGE", (0, 1), (), "AGE"),
        ("USER_ID,AGE,z,z", (0, 1), (), "z"),
        ("USER_ID,Age,aGe", (0, 1), (), "AGE"),
        ("USER_ID,AGE,,", (0, 1), (), None),
    ],
)
def test_header_match(header: str, places: tuple, missing: tuple, duplicate: str | None):
    found = match_header(header.split(","), parse_schema(schema("Users", "USER_ID", ("AGE", "int"))))
    assert (found.places, found.missing, found.duplicate) == (places, missing, duplicate)


def test_problems_are_in_order_of_lines_with_true_line_numbers():
    text = schema("Items", "ITEM_ID", ("P", "float"), ("N", ["int", "null"]))
    read = Read('ITEM_ID,P,N\n"a\n\nb",1,\n\n,x,\nc,2,y\nd,3\n"e"e,4,\nf,5,6\n', text, "ITEMS")
    assert [(line, column) for line, column, _ in read.problems] == [
        (6, "ITEM_ID"),
        (6, "P"),
        (7, "N"),
        (8, "N"),
        (9, "ITEM_ID"),
    ]
    assert read.rows[0] == ("a\n\nb", 1.0, None)
    assert read.rows[-1] == ("f", 5.0, 6)


def test_more_problems_than_are_listed_are_counted():
    read = Read("ITEM_ID,X\n" + "i,x\n" * 12_000, schema("Items", "ITEM_ID", ("X", "int")), "ITEMS", 4096)
    assert read.count == 12_000
    assert len(read.problems) == 10_000
    assert " 12000 problems; first 20: " in read.reason
    assert read.reason.endswith("(and 19 more like it: lines " + ", ".join(map(str, range(3, 22))) + ")")


def test_not_utf8():
    read = Read(b"ITEM_ID,X\ni,\xe9t\xe9\n", schema("Items", "ITEM_ID", "X"), "ITEMS")
    assert read.reason.startswith("Input CSV is not valid UTF-8. 1 problems; first 20: file f.csv, line 2: ")
    assert "iconv -f WINDOWS-1252 -t UTF-8 FILE" in read.reason


@pytest.mark.parametrize("value", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_invalid_utf8_in_an_ignored_column_fails_too(value: bytes):
    read = Read(b"ITEM_ID,X,Y\ni,x," + value + b"\n", schema("Items", "ITEM_ID", "X"), "ITEMS")
    assert read.reason.startswith("Input CSV is not valid UTF-8.")


WHOLE = re.compile(r"[ \t]*([+-]?[0-9]+)(\.0*)?[ \t]*")
DECIMAL = re.compile(r"[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
REFUSED = object()


def slow_value(kind: str, nullable: bool, text: str) -> object:
    """What a value means, by the rules written once more in plain Python; REFUSED when it may not be."""
    if text == "":
        return None if nullable else REFUSED
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), REFUSED)
    if kind in ("int", "long"):
        found = WHOLE.fullmatch(text)
        bits = 31 if kind == "int" else 63
        return int(found[1]) if found and -(2**bits) <= int(found[1]) < 2**bits else REFUSED
    beyond = FLOAT_LIMIT if kind == "float" else math.inf
    return float(text) if DECIMAL.fullmatch(text) and abs(float(text)) < beyond else REFUSED


NUMBERLIKE = (
    st.text(alphabet="0123456789+-.eE _xnaif", max_size=6)
    | st.integers(-(2**65), 2**65).map(str)
    | st.floats(allow_nan=True).map(repr)
    | st.sampled_from(
        [
            "",
            "true",
            "false",
            "True",
            "nan",
            "inf",
            "1.0",
            "00",
            "1e400",
            "1e39",
            "3.4028235e+38",
            "5e-324",
            "2147483648",
        ]
    )
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["int", "long", "float", "double", "boolean"]),
    nullable=st.booleans(),
    values=st.lists(NUMBERLIKE, min_size=1, max_size=8),
    block_bytes=st.sampled_from([5, 40, 1 << 20]),
)
def test_values_mean_what_the_plain_rules_say(kind, nullable, values, block_bytes):
    text = schema("Items", "ITEM_ID", ("X", [kind, "null"] if nullable else kind))
    read = Read("ITEM_ID,X\n" + "".join(f"i,{value}\n" for value in values), text, "ITEMS", block_bytes)
    meant = [slow_value(kind, nullable, value) for value in values]
    assert [line for line, _, _ in read.problems] == [
        k + 2 for k, value in enumerate(meant) if value is REFUSED
    ]
    kept = [row[1] for row, value in zip(read.rows, meant, strict=True) if value is not REFUSED]
    assert kept == [value for value in meant if value is not REFUSED]


CELL = st.text(alphabet='ab|",\\\n 東', max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL.filter(bool), CELL, CELL), min_size=1, max_size=10),
    styles=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    block_bytes=st.integers(1, 50),
    damage=st.none() | st.tuples(st.integers(0, 200), st.sampled_from(['"', "\\", ",", "\n", ""])),
)
def test_tables_are_read_back_or_a_problem_says_why_not(rows, styles, block_bytes, damage):
    text = schema("Items", "ITEM_ID", ("A", NULLABLE, CATEGORICAL), "B")
    header = "ITEM_ID,A,B\n"
    written = tabular.write(rows, styles)
    if damage is not None:
        at = min(damage[0], len(written))
        written = written[:at] + damage[1] + written[at + 1 :]
    read = Read(header + written, text, "ITEMS", block_bytes)
    slow = tabular.read(header + written)[1:]
    good = [values for _, values in slow if values is not None and len(values) == 3]
    assert read.rows == [(i or read.rows[k][0], a or None, b) for k, (i, a, b) in enumerate(good)]
    bad = [line for line, values in slow if values is None or len(values) != 3 or values[0] == ""]
    assert [line for line, _, _ in read.problems] == bad or len(read.problems) == len(bad)
    if damage is None:
        assert read.rows == [(i, a or None, b) for i, a, b in rows]
        assert not read.problems


def test_the_size_of_blocks_does_not_matter_for_real_text():
    lines = [f'{k},"text {k}, ""quoted"" \\"and\\" more\n line","{k % 7}|b"' for k in range(200)]
    data = ("ITEM_ID,A,B\r\n" + "\r\n".join(lines)).encode()
    text = schema("Items", "ITEM_ID", "A", ("B", "string", CATEGORICAL))
    whole = Read(data, text, "ITEMS")
    assert len(whole.rows) == 200
    assert not whole.problems
    for size in (1, 2, 3, 17, 100, 1000):
        assert Read(data, text, "ITEMS", size).rows == whole.rows


def test_bytes_read_add_up_to_the_rows_of_the_file():
    data = b"A,B\n" + b"1,2\n" * 50
    assert sum(block.read for block in CsvText(io.BytesIO(data), 7).rows()) == 200


TIMED = schema("Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long"))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1711929600000", "; these look like milliseconds: divide by 1,000"),
        ("1711929600000000", "; these look like microseconds: divide by 1,000,000"),
        ("1711929600000000000", "; these look like nanoseconds: divide by 1,000,000,000"),
        ("-5", "from 0 to 4102444800"),
        (
            "2024-04-01",
            '"2024-04-01" is not in seconds since 1970; write a number like 1711929600, for which',
        ),
        ("NULL", '"NULL" is not in seconds since 1970; this column may not be without'),
        ("1711929600.5", '"1711929600.5" is not in seconds since 1970; write a whole number'),
    ],
)
def test_times_that_are_none_say_what_to_write(value: str, told: str):
    read = Read(f"USER_ID,ITEM_ID,TIMESTAMP\nu,i,{value}\n", TIMED, "INTERACTIONS")
    assert [problem[:2] for problem in read.problems] == [(2, "TIMESTAMP")]
    assert told in read.problems[0][2]


@pytest.mark.parametrize("block_bytes", [10, 1 << 20])
def test_a_blank_before_a_quote_is_a_problem_with_row_and_column(block_bytes: int):
    text = 'USER_ID,ITEM_ID,TIMESTAMP\n"u0","i0",1\n"u1", "i1",1\nu2, "i, 2",1\nu3,\t"i3",1\nu4, i4,1\n'
    read = Read(text, TIMED, "INTERACTIONS", block_bytes)
    what = "a blank stands before the quote; write the quote directly after the comma"
    assert read.problems == [(line, "ITEM_ID", what) for line in (3, 4, 5)]
    assert read.rows == [("u0", "i0", 1), ("u4", " i4", 1)]


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le"])
def test_a_file_in_utf_16_says_so(coding: str):
    assert "is UTF-16" in CsvText(io.BytesIO("A,B\n1,2\n".encode(coding))).faults[0].what
