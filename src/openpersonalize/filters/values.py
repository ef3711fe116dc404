"""What placeholders receive: `filterValues` of a request, and numbers written as text."""

from __future__ import annotations

import math
import re

from ..datasets.values import decimal
from .language import unescaped

_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\[\s\S])*)"\s*(,|\Z)')
_BARE = re.compile(r'([^",]*)(,|\Z)')
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_values(text: str) -> tuple[str, ...] | None:
    """Read one entry of `filterValues`: values separated by commas, each in double quotes (a backslash
    escapes the next character) or bare (trimmed, not empty, without quotes).

    Returns:
        The values in the order written; None when `text` is not of this form.
    """
    if _SURROGATE.search(text):  # no text that a dataset could hold
        return None
    values = []
    position = 0
    while True:
        quoted = _QUOTED.match(text, position)
        match = quoted or _BARE.match(text, position)
        if match is None:
            return None
        value = unescaped(match[1]) if quoted else match[1].strip()
        if not value and not quoted:
            return None
        values.append(value)
        position = match.end()
        if not match[2]:
            return tuple(values)


def number(text: str) -> float | None:
    """The finite number that `text` spells in decimal digits; None when it spells none."""
    value = decimal(text.strip())
    return value if value is not None and math.isfinite(value) else None
