"""Tables of a page and of a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table, or a sentence where there is nothing to show."""
    if not lines:
        return "Not measured yet.\n"
    text = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(line) for line in lines)]
    return "\n".join(f"| {line} |" for line in text) + "\n"


def plain(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """The same table with aligned columns, for a terminal."""
    rows = [head, *lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows
    )
