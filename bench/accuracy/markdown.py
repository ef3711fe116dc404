"""Tables of a page."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table, or a sentence where there is nothing to show."""
    if not lines:
        return "Not measured yet.\n"
    text = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(line) for line in lines)]
    return "\n".join(f"| {line} |" for line in text) + "\n"
