"""Hooks of MkDocs: pages of the root of the repository, of `examples/` and generated ones join those of
`docs/`.

Links are written for whoever reads the files where they lie; here they are turned to where the pages are in
the site. What is no page there (a licence, a source file) stays as text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "src")) if path not in sys.path]

from docs.reference_pages import PAGES  # noqa: E402 - found where MkDocs runs too

_ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
_SECTIONS = {"operating": "Operating", "examples": "Examples"}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"^( *)(```|~~~).*?^\1\2\s*$", re.MULTILINE | re.DOTALL)


def sources() -> dict[str, str]:
    """Where pages of the site that are not below `docs/` come from: path in the site -> path in the
    repository."""
    examples = sorted((ROOT / "examples").glob("*/README.md"))
    found = {to: source for source, to in _ROOT_PAGES.items()}
    return found | {f"examples/{one.parent.name}.md": one.relative_to(ROOT).as_posix() for one in examples}


def on_config(config: Any) -> Any:
    """Pages that the navigation does not name come last where their kind stands."""
    named = set(_pages(config["nav"]))
    own = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    for page in sorted((own | sources().keys()) - named):
        title = _SECTIONS.get(page.partition("/")[0], "Explanation")
        _section(config["nav"], title).append(page)
    return config


def _pages(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for inside in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [inside] if isinstance(inside, str) else _pages(inside)


def _section(nav: list[Any], title: str) -> list[Any]:
    """The entries of the section of that title, at any depth."""
    for entry in nav:
        for name, inside in entry.items() if isinstance(entry, dict) else ():
            if isinstance(inside, list):
                found = inside if name == title else _section(inside, title)
                if found:
                    return found
    return []


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for place, source in sources().items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text("utf-8")))
    for place, render in PAGES.items():
        files.append(File.generated(config, place, content=render()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links; code stays as it is."""
    place = page.file.src_uri
    source = sources().get(place, f"docs/{place}")
    pieces, end = [], 0
    for code in _CODE.finditer(markdown):
        pieces += [_turned(markdown[end : code.start()], source, place), code.group()]
        end = code.end()
    return "".join([*pieces, _turned(markdown[end:], source, place)])


def _turned(text: str, source: str, place: str) -> str:
    there = {origin: to for to, origin in sources().items()}

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if not target or "://" in target or target.startswith("mailto:"):
            return match[0]
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))
        to = there.get(path)
        if to is None and path.endswith(".md") and path.startswith("docs/"):
            to = path.removeprefix("docs/")
        if to is None:
            return words
        return f"[{words}]({os.path.relpath(to, os.path.dirname(place) or '.')}{anchor})"

    return _LINK.sub(link, text)
