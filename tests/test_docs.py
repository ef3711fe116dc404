"""The documentation is held to the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.__main__ import PAGE, render

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_fresh() -> None:
    assert PAGE.read_text() == render(), "run make docs"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_module_that_a_map_names_exists(page: str) -> None:
    package = ROOT / "src" / "openpersonalize"
    named = set(re.findall(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.py)`", (ROOT / page).read_text()))
    assert len(named) > 15
    for name in named:
        assert (package / name).exists() or (ROOT / name).exists(), f"{page} names {name}"
