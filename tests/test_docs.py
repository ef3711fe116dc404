"""The documentation is held to the program."""

from __future__ import annotations

import re
from pathlib import Path

from docs.__main__ import PAGE, render

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_fresh() -> None:
    assert PAGE.read_text() == render(), "run make docs"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_module_named_in_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    package = ROOT / "src" / "openpersonalize"
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text))
    assert len(named) > 20
    for name in named:
        assert (package / name).exists() or (ROOT / name).exists(), f"ARCHITECTURE.md names {name}"
