"""Texts that make a backtracking pattern slow, made from the pattern itself.

What backtracks is a repetition that can be entered in several ways, followed by something that fails. So
every piece that the pattern repeats, and every short literal in it, is repeated after what stands before it,
and a text that nothing matches ends the whole.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found,unused-ignore]
import re._parser as parser  # type: ignore[import-not-found,unused-ignore]
from collections.abc import Iterator
from typing import Any

ENDS = ("", "\n", "\x00", "!", "é", '"', "\u2028")
FILLERS = ("a", ":", " ", "0", '"', "\\", "/", "-", ",", "ab", "a:", '""', "\\\\", ".0")


def texts(pattern: str, length: int) -> Iterator[str]:
    """Adversarial texts of `length` characters for a pattern."""
    tree = parser.parse(pattern)
    pumps = dict.fromkeys((*FILLERS, *_pieces(tree)))
    for before in dict.fromkeys(("", *_prefixes(tree))):
        for pump in pumps:
            for end in ENDS:
                room = length - len(before) - len(end)
                if room > 0:
                    yield before + (pump * (room // len(pump) + 1))[:room] + end


def _prefixes(tree: Any) -> list[str]:
    """What stands before each part of the pattern, as short as it can be."""
    found, text = [], ""
    for node in tree:
        text += _sample([node])
        found.append(text)
    return found


def _pieces(tree: Any) -> list[str]:
    """A sample of every part that is repeated, and every run of literals."""
    found: list[str] = []
    run = ""
    for operation, argument in tree:
        if operation is sre.LITERAL:
            run += chr(argument)
            continue
        if run:
            found.append(run)
            run = ""
        if operation in _REPEATS:
            found += [_sample(argument[2]), *_pieces(argument[2])]
        elif operation is sre.SUBPATTERN:
            found += _pieces(argument[3])
        elif operation is sre.ATOMIC_GROUP:
            found += _pieces(argument)
        elif operation is sre.BRANCH:
            for branch in argument[1]:
                found += [_sample(branch), *_pieces(branch)]
    return [piece for piece in [*found, run] if piece]


_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def _sample(nodes: Any) -> str:
    """One short text that the nodes match."""
    out = ""
    for operation, argument in nodes:
        if operation is sre.LITERAL:
            out += chr(argument)
        elif operation is sre.NOT_LITERAL or operation is sre.ANY:
            out += "a" if argument != ord("a") else "b"
        elif operation is sre.IN:
            out += _of_class(argument)
        elif operation in _REPEATS:
            out += _sample(argument[2]) * max(argument[0], 1)
        elif operation is sre.SUBPATTERN:
            out += _sample(argument[3])
        elif operation is sre.ATOMIC_GROUP:
            out += _sample(argument)
        elif operation is sre.BRANCH:
            out += _sample(argument[1][0])
    return out


def _of_class(items: Any) -> str:
    kind, argument = items[0]
    if kind is sre.NEGATE:
        return "a"
    if kind is sre.RANGE:
        return chr(argument[0])
    if kind is sre.CATEGORY:
        return {sre.CATEGORY_DIGIT: "0", sre.CATEGORY_SPACE: " "}.get(argument, "a")
    return chr(argument)


def text_of(pattern: re.Pattern[Any]) -> str:
    """The pattern's text; bytes are read as Latin-1."""
    return pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
