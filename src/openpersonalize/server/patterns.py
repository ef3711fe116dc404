"""Regular expressions of the service models, which are written for Java, as Python patterns of the same
meaning, and of linear time.

What differs and is translated: Unicode classes (``\\p{L}``), which Python lacks; ``\\d`` and ``\\w``, which
are ASCII in Java; and ``.``, which in Java stops at every line terminator. A pattern has to match the whole
value.
"""

from __future__ import annotations

import re
from functools import cache

LONGEST_MATCHED = 2048
"""Longer values are not matched at all: their length is the violation that is reported."""

_SEPARATORS = r"\x20\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
_ANY_BUT_LINE_END = r"[^\n\r\u0085\u2028\u2029]"
_CLASSES = {"ASCII": r"\x00-\x7F", "Z": _SEPARATORS}

_ANY_BUT_COLON = r"[^:\n\r\u0085\u2028\u2029]"

_REWRITTEN = {
    # Several ".*" over the same text backtrack in quadratic or cubic time. Any two colons will do, so the
    # first two; of the KMS form, the first ":kms:" and the first account after it leave the most to the
    # rest.
    r"arn:([a-z\d-]+):personalize:.*:.*:.+": (
        rf"arn:[a-z\d-]++:personalize:{_ANY_BUT_COLON}*+:{_ANY_BUT_COLON}*+:{_ANY_BUT_LINE_END}++"
    ),
    r"arn:aws.*:kms:.*:[0-9]{12}:key/.*": (
        rf"arn:aws(?>{_ANY_BUT_LINE_END}*?:kms:)(?>{_ANY_BUT_LINE_END}*?:[0-9]{{12}}:key/){_ANY_BUT_LINE_END}*+"
    ),
    # Python's \w is exactly the letters, the numbers and the underscore; their ranges take 0.6 s to compile.
    r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$": rf"(?u:[\w{_SEPARATORS}.:/=+\-@]*)",
    # Three runs over overlapping classes backtrack in cubic time on a long value with one wrong character.
    r"^[\x20-\x7E]*[\x21-\x7E]+[\x20-\x7E]*$": r"\x20*+[\x21-\x7E][\x20-\x7E]*+",
}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The Python pattern for a model's `pattern`, to be used with ``fullmatch``.

    Raises:
        ValueError: the pattern uses a Unicode class that has no translation here.
    """
    return re.compile(_REWRITTEN.get(pattern) or _translated(pattern), re.ASCII)


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` matches a model's `pattern`."""
    return compiled(pattern).fullmatch(value) is not None


def _translated(pattern: str) -> str:
    out: list[str] = []
    inside = False
    for piece in re.findall(r"\\p\{\w+\}|\\.|.", pattern):
        if piece.startswith("\\p"):
            name = piece[3:-1]
            if name not in _CLASSES:
                raise ValueError(f"no translation for the Unicode class {piece} of the pattern {pattern}")
            out.append(_CLASSES[name] if inside else f"[{_CLASSES[name]}]")
            continue
        if piece in ("[", "]"):
            inside = piece == "["
        out.append(_ANY_BUT_LINE_END if piece == "." and not inside else piece)
    return "".join(out)
