"""The code keeps to docs/conventions.md: words, sizes, first sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from longest import LONG

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "openpersonalize"
PAGE = ROOT / "docs" / "conventions.md"
SUFFIXES = (".py", ".md", ".sql", ".lark")
MOST_LINES = 350
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.read_text().strip())


def gone() -> dict[str, list[str]]:
    """What the page's table says is not used any more, and the places where each still may be. A name of code
    keeps its quotes, ``"`Name`"``."""
    table = PAGE.read_text().partition("## Words that are gone")[2]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return {
        word.strip(): [one.strip("` ") for one in places.split(",") if one.strip()]
        for words, _, places in lines[2:]
        for word in words.split(",")
    }


def words_of(text: str) -> set[str]:
    """Words in lower case, those of names apart: ``keepsItems_of`` is keeps, items and of."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}


def files() -> Iterator[Path]:
    """Code and pages of the project, but for the page of words itself and the log of changes."""
    for name in ("src", "tests", "bench", "docs"):
        yield from (path for path in (ROOT / name).rglob("*") if path.suffix in SUFFIXES and path != PAGE)
    yield from (path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md")


def test_words_are_taken_apart() -> None:
    assert words_of("def keepsItems_of(HTTPServer, x2y)") == {
        *("def", "keeps", "items", "of", "http", "server", "x", "y"),
    }


def test_words_that_are_gone_stay_away() -> None:
    forbidden = {word: allowed for word, allowed in gone().items() if "`" not in word}
    assert len(forbidden) > 10
    found = []
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        words = words_of(path.read_text()) | words_of(name)
        for word, allowed in forbidden.items():
            plain = {word, f"{word}s", f"{word}es", re.sub("y$", "ies", word)}
            if words & plain and not name.startswith(tuple(allowed) or ("?",)):
                found.append(f"{name}: {word}")
    assert not found, "docs/conventions.md says what these are called now"


def test_names_that_are_gone_are_not_defined_again() -> None:
    forbidden = {word.strip("`") for word in gone() if "`" in word}
    assert len(forbidden) > 30
    found = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name in forbidden
    ]
    assert not found, "docs/conventions.md says what these are called now"


def test_the_long_files_that_go_first_exist() -> None:
    assert [name for name in LONG if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_says_what_it_is_and_stays_short(path: Path) -> None:
    text = path.read_text()
    sentence = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0]
    assert len(sentence.split()) >= 4, "its docstring begins with a sentence: the field's term, the class"
    assert len(text.splitlines()) <= MOST_LINES, "one concept a module: cut it"
