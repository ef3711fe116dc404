"""A file's encoding is found out: windows-1252 is read, and what is broken is refused, never spoilt."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from openpersonalize.datasets.encodings import PlainText
from openpersonalize.errors import InvalidInput

SHOP = 'ITEM_ID;TITLE;PREIS\n1;"Gläser; groß";5 €\n2;Sägeblätter;6\n'


def read(folder: Path, content: bytes) -> tuple[str, str]:
    (folder / "f.csv").write_bytes(content)
    found = PlainText.of(folder / "f.csv", folder)
    return found.path.read_text("utf-8"), found.words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SHOP.encode(), ""),
        (SHOP.encode("windows-1252"), "read as windows-1252, for it is not UTF-8 (such as Gläser)"),
        (
            gzip.compress(SHOP.encode("windows-1252")),
            "read as windows-1252, for it is not UTF-8 (such as Gläser)",
        ),
        (SHOP.encode("utf-16"), "read as UTF-16"),
        (gzip.compress(SHOP.encode("utf-16-be")), "unpacked, read as UTF-16"),
    ],
)
def test_what_is_written_comes_back(content: bytes, words: str, tmp_path: Path) -> None:
    assert read(tmp_path, content) == (SHOP, words)


def test_beyond_the_first_block(tmp_path: Path) -> None:
    long = SHOP + "3;a;1\n" * 300_000
    assert read(tmp_path, (long + "4;Öl;1\n").encode("windows-1252"))[0] == long + "4;Öl;1\n"


def test_a_mark_of_replaced_characters_is_utf_8(tmp_path: Path) -> None:
    assert read(tmp_path, "a\ufffdb\n".encode()) == ("a\ufffdb\n", "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (SHOP.encode() + b"3;\xe4;7\n", "f.csv, line 4: is not valid UTF-8, though most of the file is"),
        (b"A\n\x81\x8d\n", "f.csv, line 2: is neither UTF-8 nor windows-1252; convert it to UTF-8 (iconv"),
    ],
)
def test_what_cannot_be_told_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, content)
    assert told in refused.value.message
