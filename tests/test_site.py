"""The documentation as a site: it builds without a warning, and a browser that shows it asks nobody else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openpersonalize.operations.registry import OPERATIONS
from openpersonalize.recipes.registry import registry
from openpersonalize.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does. About 10 s, most of it Python's docstrings: a build is all or nothing."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert made.returncode == 0, made.stderr[-5000:]
    assert "WARNING" not in made.stderr
    return folder


def test_every_page_is_there_and_can_be_found(site: Path) -> None:
    names = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    for name in names:
        page = name.replace("README.md", "index.md").replace(".md", ".html")
        assert (site / page).is_file(), name
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {one["location"].partition("#")[0] for one in index["docs"]}
    assert {"index.html", "how-to.html", "reference/operations.html", "reference/recipe-api.html"} <= found


def test_the_reference_has_everything(site: Path) -> None:
    for page, names in (
        ("operations", OPERATIONS),
        ("recipes", [one.facts.name for one in registry().all()]),
        ("settings", [f"--{one.name.replace('_', '-')}" for one in SETTINGS]),
        ("commands", ["serve", "versions compare", "key create", "--minimum-data"]),
        ("recipe-api", ["Recipe", "TrainingData", "cold_scores"]),
        ("seams", ["ObjectStore", "LiveLog", "Executor"]),
    ):
        text = (site / "reference" / f"{page}.html").read_text()
        assert [name for name in names if name not in text] == [], page


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Links may lead out; what a page loads by itself may not."""
    loads = re.compile(r"""<(?:script|img|iframe|source)[^>]+src=["']?(?:https?:)?//|@import""")
    stylesheet = re.compile(
        r"""<link[^>]+rel=["']?(?:stylesheet|preconnect|preload|icon)[^>]*href=["']?(?:https?:)?//"""
    )
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert not loads.search(text), page
        assert not stylesheet.search(text), page
    for page in site.rglob("*.css"):
        assert not re.search(r"""url\(["']?(?:https?:)?//""", page.read_text()), page
