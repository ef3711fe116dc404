"""Writes docs/reference.md from the program itself: `python -m docs` (make docs). `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from openpersonalize.cli.main import main
from openpersonalize.operations.registry import OPERATIONS
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.registry import registry
from openpersonalize.settings import SETTINGS

PAGE = Path(__file__).parent / "reference.md"
PAGES = {
    Task.PERSONALISE: "personal-recommendations.md",
    Task.RERANK: "personal-recommendations.md",
    Task.RELATED: "related-items.md",
    Task.POPULAR: "popular-items.md",
    Task.ACTIONS: "next-best-action.md",
    Task.SEGMENT: "user-segments.md",
}
"""Where it says how recipes work, what they need and what they are bad at."""


def _settings() -> str:
    rows = [f"| `{s.name}` | `{s.default!r}` | {s.help} |" for s in SETTINGS]
    return "\n".join(
        [
            (
                "Each is an option of `openpersonalize serve` (`--data-dir`) and an environment variable "
                "(`OPENPERSONALIZE_DATA_DIR`); the option wins.\n"
            ),
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows,
        ]
    )


def _commands(group: click.Group = main, prefix: str = "openpersonalize") -> list[str]:
    rows: list[str] = []
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            rows += _commands(command, f"{prefix} {name}")
        else:
            arguments = " ".join(
                p.name.upper() for p in command.params if isinstance(p, click.Argument) and p.name
            )
            line = f"{prefix} {name} {arguments}".rstrip()
            rows.append(f"| `{line}` | {command.get_short_help_str(200)} |")
    return rows


def _operations() -> str:
    return f"All {len(OPERATIONS)}: {', '.join(sorted(OPERATIONS))}."


def _recipes() -> str:
    pages = ((one.facts, PAGES[one.facts.task]) for one in registry().all())
    rows = [f"| `{facts.name}` | {facts.type} | [{page}]({page}) |" for facts, page in pages]
    told = "how it works, what it needs, what it is bad at"
    return "\n".join([f"| recipe | type | {told} |", "|---|---|---|", *rows])


def render() -> str:
    """The whole page."""
    return (
        "\n\n".join(
            [
                "# Reference",
                "Written by `make docs` from the program itself; a test fails when it is stale.",
                "## Settings",
                _settings(),
                "## Commands",
                "\n".join(["| command | what it does |", "|---|---|", *_commands()]),
                "## Operations",
                _operations(),
                "## Recipes",
                _recipes(),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == render() else "docs/reference.md is stale: run make docs")
    PAGE.write_text(render())
