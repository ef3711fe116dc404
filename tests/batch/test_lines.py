"""Lines of a batch job that are no JSON say what they are instead."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from openpersonalize.batch.lines import read_line

GOOD = b'{"userId": "u1"}\n'


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("q.json", GOOD)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(GOOD), "packed with gzip; unpack it first"),
        (GOOD.decode().encode("utf-16"), "UTF-16; save it as UTF-8"),
        (GOOD.decode().encode("utf-16-le"), "UTF-16 without a mark; save it as UTF-8"),
        (zipped(), "a zip archive; save or unpack it as JSON Lines"),
        (b"userId\n", "JSON is malformed"),
    ],
    ids=["gzip", "utf-16", "utf-16 without a mark", "zip", "csv"],
)
def test_the_first_line_of_another_form_names_it(content: bytes, said: str) -> None:
    line = read_line(content.split(b"\n", 1)[0], True, False, False)
    assert line.error.startswith("The line is not a JSON object: ")
    assert said in line.error
    assert line.source
