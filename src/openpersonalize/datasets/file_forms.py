"""File forms: what a file that is no CSV (or, of batch jobs, no JSON Lines) of Amazon Personalize's form is
instead (gzip, UTF-16, ``;``), in words that say what to do about it.

Amazon Personalize developer guide, "Data format guidelines": plain CSV, UTF-8, commas between the columns, a
header row. Looks at the first bytes only.
"""

from __future__ import annotations

from collections.abc import Sequence

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "the file is packed with gzip; unpack it first (gunzip)"),
    (b"PK\x03\x04", "the file is an Excel workbook or a zip archive; save or unpack it as {form}"),
    (b"PAR1", "the file is Parquet; write it as {form}"),
    (b"\xff\xfe", "the file is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"\xfe\xff", "the file is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_PROBE = 1024


def foreign_form(start: bytes, form: str = "CSV") -> str | None:
    """What a file is that is no text of this `form` in UTF-8, by its first bytes; None where it may well be
    one."""
    for magic, what in _MAGIC:
        if start.startswith(magic):
            return what.format(form=form)
    probe = start[:_PROBE]
    if len(probe) > 3 and probe.count(0) * 3 > len(probe):
        return "the file is UTF-16 without a mark; save it as UTF-8 (iconv -f UTF-16LE -t UTF-8)"
    return None


def separator_of(line: str) -> str:
    """The character that separates the columns of a header row: a comma unless another is more frequent."""
    counts = {one: line.count(one) for one in (",", *_SEPARATORS)}
    return max(counts, key=lambda one: (counts[one], one == ","))


def header_hint(header: Sequence[str]) -> str:
    """What is odd about a header row in which columns are missing, and the remedy; empty: nothing is."""
    whole = ",".join(header)
    if whole.lower().startswith("sep="):
        return "the first line is Excel's sep= line; remove it, and write commas between columns"
    if whole.lstrip().startswith(("{", "[")):
        return "the file looks like JSON; write it as CSV"
    separator = separator_of(whole)
    if separator != ",":
        return f"the columns look separated by {_SEPARATORS[separator]}; write commas between them"
    if any(name != name.strip() for name in header):
        return "names have blanks around them; take these off"
    if len(header) > 1 and sum(any(c.isdigit() for c in name) for name in header) * 2 > len(header):
        return "the first row looks like data; the file needs a header row"
    return ""
