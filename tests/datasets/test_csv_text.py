"""Rows, escapes and line numbers, held against a reader that goes one character at a time."""

from __future__ import annotations

import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openpersonalize.datasets.csv_text import CsvText

from . import tabular


def read(data: bytes, block_bytes: int = 1 << 20, row_bytes: int = 1 << 20):
    """(header, [(line, values)], [(line, value, what)]) as CsvText and Polars read it."""
    text = CsvText(io.BytesIO(data), block_bytes, row_bytes)
    rows, faults = [], list(text.faults)
    for block in text.rows():
        faults += block.faults
        if block.data:
            names = {str(k): pl.String() for k in range(len(text.header))}
            frame = pl.read_csv(block.data, has_header=False, schema=names).fill_null("")
            assert frame.height == len(block.lines)
            rows += list(zip(block.lines.tolist(), map(list, frame.rows()), strict=True))
    return text.header, rows, [(f.line, f.value, f.what) for f in faults]


def test_both_ways_of_writing_a_quote_inside_quotes_give_the_same_text():
    header, rows, faults = read(b'ITEM_ID,TITLE\n1,"a, \\"b\\" c"\n2,"a, ""b"" c"\n')
    assert header == ["ITEM_ID", "TITLE"]
    assert rows == [(2, ["1", 'a, "b" c']), (3, ["2", 'a, "b" c'])]
    assert not faults


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b'"a\\\\b"', "a\\b"),
        (b'"a\\\\"', "a\\"),
        (b'"a\\\\\\""', 'a\\"'),
        (b'"a\\nb"', "a\\nb"),
        (b'"\\\\\\n"', "\\\\n"),
        (b'"\\""', '"'),
        (b'""""', '"'),
        (b'"\\"\\""', '""'),
        (b"a\\b", "a\\b"),
        (b"a\\\\b", "a\\\\b"),
        (b'5" wide', '5" wide'),
        (b'a\\"b', 'a\\"b'),
        (b'"line 1\nline 2"', "line 1\nline 2"),
        (b'"line 1\r\nline 2"', "line 1\r\nline 2"),
        (b'" blanks "', " blanks "),
        (b" blanks ", " blanks "),
        (b'""', ""),
        (b"", ""),
        ("Größe 東京".encode(), "Größe 東京"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_values(written: bytes, meant: str, line_end: bytes):
    data = line_end.join([b"A,B", written + b",1", b"2," + written, b""])
    _, rows, faults = read(data)
    assert [values for _, values in rows] == [[meant, "1"], ["2", meant]]
    assert not faults


def test_blank_lines_and_lines_within_quotes_count_as_lines_of_the_file():
    _, rows, _ = read(b'\n\r\nA,B\n\n1,"x\n\ny"\r\n\r\n\n2,z')
    assert rows == [(5, ["1", "x\n\ny"]), (10, ["2", "z"])]


def test_a_byte_order_mark_and_quoted_headers():
    header, rows, _ = read(b'\xef\xbb\xbf"USER_ID","IT""EM"\nu,i\n', block_bytes=1)
    assert header == ["USER_ID", 'IT"EM']
    assert rows == [(2, ["u", "i"])]


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_header(data: bytes):
    assert read(data) == ([], [], [])


def test_one_column():
    _, rows, faults = read(b'USER_ID\na\n\n""\nb\r\n')
    assert rows == [(2, ["a"]), (4, [""]), (5, ["b"])]
    assert not faults


def test_rows_of_another_width_are_faults_and_hide_no_other_row():
    _, rows, faults = read(b'A,B,C\n1,2,3\n4,5\n6,7,8,9\n"x,y",1,2\n')
    assert rows == [(2, ["1", "2", "3"]), (5, ["x,y", "1", "2"])]
    assert faults == [
        (3, 2, "the row has 2 values, the header 3"),
        (4, None, "the row has 4 values, the header 3"),
    ]


def test_text_after_a_closing_quote():
    _, rows, faults = read(b'A,B\n1,"x"y\n2,z\n')
    assert rows == [(3, ["2", "z"])]
    assert [(line, value) for line, value, _ in faults] == [(2, 1)]
    assert "closing quote" in faults[0][2]


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_a_quote_that_is_never_closed_takes_no_other_row_with_it(block_bytes: int):
    rows_after = b"".join(b"%d,ok\n" % k for k in range(100))
    _, rows, faults = read(b'A,B\n1,"x\n' + rows_after, block_bytes)
    assert [values[0] for _, values in rows] == [str(k) for k in range(100)]
    assert [(line, value) for line, value, _ in faults] == [(2, 1)]
    assert "never closed" in faults[0][2]


def test_a_quote_open_for_too_long_is_not_waited_for():
    data = b'A,B\n1,"x\n' + b"2,ok\n" * 500 + b'3,"y"\n'
    _, rows, faults = read(data, block_bytes=64, row_bytes=1000)
    assert len(rows) == 501
    assert [line for line, _, _ in faults] == [2]


def test_a_row_that_is_too_long():
    _, rows, faults = read(b"A,B\n1," + b"x" * 5000 + b"\n2,ok\n", block_bytes=64, row_bytes=1000)
    assert rows[-1] == (3, ["2", "ok"])
    assert all(line == 2 for line, _, _ in faults)
    assert faults[0][2] == "the row is too long"


def test_bytes_that_are_not_utf8_are_named_by_line():
    _, rows, faults = read(b"A,B\n1,x\n2,\xff\n3,y\n")
    assert [(line, what) for line, _, what in faults] == [(3, "is not valid UTF-8")]
    assert [values[0] for _, values in rows] == ["1", "2", "3"]


def test_a_header_that_cannot_be_read():
    assert read(b'A,"B\n1,2\n')[2] == [(1, 1, "a quote that opens here is never closed")]
    assert read(b"A,\xff\n1,2\n")[2] == [(1, None, "is not valid UTF-8")]


class Dripping(io.BytesIO):
    """A stream that delivers three bytes at a time, as a network may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


def test_a_stream_that_delivers_little_at_a_time():
    text = CsvText(Dripping(b"A,B\n" + b"1,2\n" * 50), 100)
    blocks = list(text.rows())
    assert sum(len(block.lines) for block in blocks) == 50
    assert len(blocks) < 5


ALPHABET = st.text(alphabet='ab",\\\n\r é東 |', max_size=8)


@settings(max_examples=300, deadline=None)
@given(
    data=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(ALPHABET, min_size=width, max_size=width), min_size=1, max_size=12)
    ),
    styles=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    line_end=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.integers(1, 60),
)
def test_what_is_written_is_read_back(data, styles, line_end, block_bytes):
    width = len(data[0])
    text = tabular.write([[f"C{k}" for k in range(width)], *data], styles, line_end)
    expected = [(line, values) for line, values in tabular.read(text)[1:]]
    assert [values for _, values in expected] == data
    for size in (block_bytes, 1 << 20):
        header, rows, faults = read(text.encode(), size)
        assert not faults
        assert rows == expected
        assert header == [f"C{k}" for k in range(width)]


@settings(max_examples=500, deadline=None)
@given(
    body=st.text(alphabet='ab",\\\n\r', max_size=60),
    block_bytes=st.integers(1, 30),
)
def test_any_text_gives_the_same_rows_as_the_slow_reader_or_faults(body, block_bytes):
    text = "A,B\n" + body
    slow = tabular.read(text)[1:]
    for size in (block_bytes, 1 << 20):
        _, rows, faults = read(text.encode(), size)
        assert rows == [(line, values) for line, values in slow if values is not None and len(values) == 2]
        assert len(faults) == sum(values is None or len(values) != 2 for _, values in slow)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60), block_bytes=st.integers(1, 30))
def test_any_bytes_are_read_or_refused_whatever_the_blocks(body, block_bytes):
    whole = read(b"A,B\n" + body)
    parted = read(b"A,B\n" + body, block_bytes)
    assert parted[1] == whole[1]
    assert bool(parted[2]) == bool(whole[2])
