"""Attribute queries of batch segment jobs, `parse_attributes` (Amazon Personalize developer guide, "Batch
segment input"): ``ITEMS.genres = "Comedy" AND ITEMS.year = 1995``.

    query = attribute , { "AND" , attribute } ;
    attribute = "ITEMS" , "." , name , "=" , ( string | number ) ;
    string = '"' , { character | "\\" , character } , '"' ;

Only ``=`` and AND there are, whose case does not count. A column may occur again.
"""

from __future__ import annotations

import re

from ..errors import InvalidInput
from ..filters.language import unescaped

MOST_ATTRIBUTES = 100
"""Attributes of a query; each is looked for in all items."""

_SHOWN = 40
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\[\s\S])*")|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign>[.=]))""",
    re.ASCII,
)
_FORM = 'write it as ITEMS.COLUMN = "value", several joined by AND'


def parse_attributes(text: str) -> list[tuple[str, str]]:
    """The columns, as written, with the value of each.

    Raises:
        InvalidInput: it is no query; the sentence says where.
    """
    tokens = _tokens(text)
    found: list[tuple[str, str]] = []
    place = 0
    while True:
        if len(found) == MOST_ATTRIBUTES:
            raise InvalidInput(f"itemAttributes has more than {MOST_ATTRIBUTES} attributes.")
        dataset = _next(tokens, place, "word", "ITEMS")
        if dataset.upper() != "ITEMS":
            raise InvalidInput(f"itemAttributes are columns of ITEMS, not of {dataset[:_SHOWN]}; {_FORM}.")
        _next(tokens, place + 1, "sign", ".", ".")
        name = _next(tokens, place + 2, "word", "a column")
        _next(tokens, place + 3, "sign", "=", "=")
        kind, value = tokens[place + 4] if place + 4 < len(tokens) else ("", "")
        if kind not in ("string", "number"):
            raise _unexpected(tokens, place + 4, "a value in double quotes, or a number")
        found.append((name, unescaped(value[1:-1]) if kind == "string" else value))
        place += 5
        if place == len(tokens):
            return found
        if _next(tokens, place, "word", "AND").upper() != "AND":
            raise _unexpected(tokens, place, "AND")
        place += 1


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(
                f"itemAttributes is wrong at {text[place : place + _SHOWN].strip()!r}; {_FORM}."
            )
        tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
        place = match.end()
    return tokens


def _next(tokens: list[tuple[str, str]], place: int, kind: str, wanted: str, exactly: str = "") -> str:
    if place < len(tokens) and tokens[place][0] == kind and exactly in ("", tokens[place][1]):
        return tokens[place][1]
    raise _unexpected(tokens, place, wanted)


def _unexpected(tokens: list[tuple[str, str]], place: int, wanted: str) -> InvalidInput:
    found = repr(tokens[place][1][:_SHOWN]) if place < len(tokens) else "the end"
    return InvalidInput(f"itemAttributes has {found} where {wanted} is expected; {_FORM}.")
