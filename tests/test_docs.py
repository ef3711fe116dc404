"""The documentation is held to the program."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docs.__main__ import PAGE, render
from docs.__main__ import PAGES as OF_TASKS

from openpersonalize.recipes.catalogue import CATALOGUE
from openpersonalize.recipes.facts import Facts

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_fresh() -> None:
    assert PAGE.read_text() == render(), "run make docs"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("facts", CATALOGUE, ids=lambda facts: facts.name)
def test_every_recipe_has_a_page_that_says_what_it_is_bad_at(facts: Facts) -> None:
    page = (ROOT / "docs" / OF_TASKS[facts.task]).read_text()
    assert facts.name in page
    for told in (
        r"\*\*How (it|they) work",
        r"\*\*What (it|they) needs?\.",
        r"\*\*What (it is|they are) bad at",
    ):
        assert re.search(told, page)


def modules(page: Path) -> set[str]:
    """The modules that a page names by their paths."""
    return set(re.findall(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.py)`", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    for name in modules(page):
        exists = (ROOT / "src" / "openpersonalize" / name).exists() or (ROOT / name).exists()
        assert exists, f"{page.name} names {name}"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_a_map_names_modules(page: str) -> None:
    assert len(modules(ROOT / page)) > 15


def test_the_code_of_a_recipe_of_your_own_is_whole() -> None:
    """What the page has authors copy names nothing that it does not import."""
    page = (ROOT / "docs" / "own-recipe.md").read_text()
    recipe, *tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert tests
    for code in (recipe, "".join(tests)):
        words = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F", "-"]
        found = subprocess.run(words, input=code, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout
    [project] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    [(name, target)] = tomllib.loads(project)["project"]["entry-points"]["openpersonalize.recipes"].items()
    assert f'Facts("{name}"' in recipe
    assert f"class {target.split(':')[1]}(Recipe)" in recipe


def test_no_documented_loop_waits_for_what_has_failed() -> None:
    pages = [*PAGES, *(ROOT / "docs").glob("*/*.md"), *(ROOT / "examples").rglob("*.md")]
    programs = [*(ROOT / "examples").rglob("*.py")]
    waiting = re.compile(r'!= "ACTIVE":\n(?P<first>[^\n]*)')
    loops = [loop["first"] for page in [*pages, *programs] for loop in waiting.finditer(page.read_text())]
    assert len(loops) >= 5
    assert all("FAILED" in first for first in loops)
