"""SQL kept as SQL: named statements in files beside the code."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- (\w+): .*\n", re.MULTILINE)


def read_statements(file: str) -> dict[str, str]:
    """The statements of an SQL file of this package by name; a line ``-- name: what for`` starts each."""
    _, *parts = _NAME.split(read_script(file))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def read_script(file: str) -> str:
    """The text of an SQL file of this package."""
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


@cache
def rows_of(statement: str, columns: int, rows: int) -> str:
    """A statement whose ``/*rows*/`` stands for `rows` tuples of `columns` parameters."""
    row = f"({', '.join('?' * columns)})"
    return statement.replace("/*rows*/", ", ".join([row] * rows))
