from __future__ import annotations

import gzip

import pytest

from openpersonalize.datasets.file_forms import foreign_form, header_hint, separator_of

TEXT = "USER_ID,ITEM_ID,TIMESTAMP\nu1,i1,1\n"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (gzip.compress(TEXT.encode()), "gzip"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        (b"PK\x03\x04rest", "Excel"),
        (b"PAR1rest", "Parquet"),
    ],
)
def test_files_of_another_form(start: bytes, what: str) -> None:
    assert what in (foreign_form(start) or "")


@pytest.mark.parametrize("start", [b"", b"a", TEXT.encode(), "ÄÖ,ß\n".encode(), b"\xe9t\xe9,x\n"])
def test_what_may_be_csv(start: bytes) -> None:
    assert foreign_form(start) is None


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (["USER_ID;ITEM_ID;TIMESTAMP"], "semicolons"),
        (["USER_ID\tITEM_ID"], "tabs"),
        (["sep=;"], "Excel's sep="),
        (["sep=", ""], "Excel's sep="),
        (['{"USER_ID": 1', ' "ITEM_ID": 2}'], "JSON"),
        (["USER_ID", " ITEM_ID"], "blanks around"),
        (["u1", "i7", "1711929600"], "header row"),
        (["USER_ID", "ITEM", "TIMESTAMP"], ""),
        ([], ""),
    ],
)
def test_odd_headers(header: list[str], what: str) -> None:
    assert what in header_hint(header)
    assert bool(what) == bool(header_hint(header))


def test_separators() -> None:
    assert [separator_of(line) for line in ("a,b;c", "a;b", "a\tb\tc,d", "a", "a|b")] == [
        ",",
        ";",
        "\t",
        ",",
        "|",
    ]
