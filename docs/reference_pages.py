"""The generated pages of the site, `PAGES`: every setting, command, operation and recipe, and the Python
interfaces, from the program itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import click

from openpersonalize.access.roles import ALLOWED
from openpersonalize.cli.main import main
from openpersonalize.operations.registry import OPERATIONS
from openpersonalize.recipes.facts import Facts, Hyperparameter, Task
from openpersonalize.recipes.registry import registry
from openpersonalize.settings import SETTINGS

_SERVICES = ("personalize", "personalize-runtime", "personalize-events")
_WIDTH = 100


def settings_page() -> str:
    """Every setting."""
    rows = []
    for one in SETTINGS:
        option = f"--{one.name.replace('_', '-')}"
        rows.append(
            [f"`{option}`", f"`OPENPERSONALIZE_{one.name.upper()}`", f"`{_value(one.default)}`", one.help]
        )
    return "\n\n".join(
        [
            "# Settings",
            (
                "Each is an option of `openpersonalize serve` and an environment variable; the option wins. A"
                " value that cannot be read fails the start and names its key; a variable that looks like a"
                " setting and is none is named at the start."
            ),
            _table(["option", "variable", "default", "meaning"], rows),
        ]
    )


def commands_page() -> str:
    """Every command with its options."""
    exits = "Exit codes: 0, done; 1, the job failed or something is wrong; 2, it could not be tried."
    parts = ["# Commands", f"As `--help` says it. {exits}"]
    for name, command in _commands(main, "openpersonalize"):
        context = click.Context(command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH)
        parts += [f"## {name.removeprefix('openpersonalize ')}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts)


def operations_page() -> str:
    """Every operation: who may call it, what it takes and answers."""
    parts = [
        "# Operations",
        (
            "All of Amazon Personalize's, in its shapes: members, limits and errors are those of the"
            " published service models. The role is that of an access key, where a server has keys."
        ),
    ]
    for service in _SERVICES:
        model = botocore.session.get_session().get_service_model(service)
        parts.append(f"## {service}")
        for name in model.operation_names:
            operation = model.operation_model(name)
            parts += [f"### {name}", _first(OPERATIONS[name]), f"Roles: {', '.join(sorted(ALLOWED[name]))}."]
            if operation.input_shape is not None and operation.input_shape.members:
                parts.append(_members("request", operation.input_shape))
            if operation.output_shape is not None and operation.output_shape.members:
                parts.append(_members("answer", operation.output_shape))
            errors = ", ".join(f"`{one.name}`" for one in operation.error_shapes)
            parts += [f"Errors: {errors}."] if errors else []
    return "\n\n".join(parts)


def recipes_page() -> str:
    """Every recipe with its facts and hyperparameters."""
    parts = ["# Recipes", "What a solution, or in a domain dataset group a recommender, may be made with."]
    for one in registry().all():
        facts = one.facts
        parts += [f"## {facts.name}", facts.description, "\n".join(f"- {fact}" for fact in _facts(facts))]
        rows = [_hyperparameter(row) for row in facts.hyperparameters]
        if rows:
            parts.append(_table(["hyperparameter", "in", "type", "default", "allowed", "searched"], rows))
    return "\n\n".join(parts)


def python_page(title: str, words: str, *names: str) -> Callable[[], str]:
    """A page about modules or classes, by their docstrings."""

    def render() -> str:
        return "\n\n".join([f"# {title}", words, *(f"::: openpersonalize.{name}" for name in names)])

    return render


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/commands.md": commands_page,
    "reference/operations.md": operations_page,
    "reference/recipes.md": recipes_page,
    "reference/recipe-api.md": python_page(
        "What a recipe is made of",
        "All of it is imported from `openpersonalize.recipe_api`: [a recipe of your own](../own-recipe.md).",
        *("recipes.recipe", "recipes.model", "recipes.training", "recipes.facts", "recipes.query"),
        *("recipes.objective", "recipes.incremental", "recipes.item_counts.ItemCounts"),
        *("datasets.sequences.Sequences", "storage.idtable.IdTable"),
    ),
    "reference/testing.md": python_page(
        "What a recipe is tested with",
        'Fixtures come with `pytest_plugins = ["openpersonalize.testing.plugin"]`.',
        *("testing.contract", "testing.worlds", "testing.live", "testing.plugin"),
    ),
    "reference/seams.md": python_page(
        "The seams",
        "Where a part can be replaced: the class says what every implementation promises.",
        *(
            "resources.store",
            "events.livelog",
            "events.recommendations",
            "storage.objects",
            "storage.buckets",
        ),
        *("engine.executor", "engine.workflow", "serving.scoring.Scorer", "algorithms.ranker"),
    ),
}


def _commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "(empty)"


def _first(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, without the name of the operation before it."""
    words = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
    rest = re.sub(r"^[A-Za-z]+: ", "", words)
    return rest[:1].upper() + rest[1:]


def _members(what: str, shape: Any) -> str:
    rows = [
        [f"`{name}`", _type(member), "yes" if name in shape.required_members else "", _limits(member)]
        for name, member in shape.members.items()
    ]
    if what == "answer":
        return _table(["answer", "type"], [row[:2] for row in rows])
    return _table([what, "type", "required", "limits"], rows)


def _type(shape: Any) -> str:
    if shape.type_name == "list":
        return f"list of {_type(shape.member)}"
    if shape.type_name == "map":
        return f"map of {_type(shape.value)}"
    if shape.type_name == "structure":
        members = ", ".join(f"`{name}`" for name in shape.members)
        return f"structure of {members}" if members else "structure"
    return str(shape.type_name)


def _limits(shape: Any) -> str:
    known = shape.metadata
    words = []
    if "enum" in known:
        words.append(", ".join(f"`{one}`" for one in known["enum"]))
    if "min" in known or "max" in known:
        unit = {"string": " characters", "list": " entries", "map": " entries"}.get(shape.type_name, "")
        words.append(f"{known.get('min', 0)} to {known.get('max', 'any')}{unit}")
    return "; ".join(words)


def _facts(facts: Facts) -> Iterator[str]:
    yield f"type {facts.type.value}" + (f", domain {facts.domain}" if facts.domain else "")
    yield f"needs {' and '.join(facts.needs)}" if facts.needs else "needs no interactions"
    if facts.preset is not None:
        learns, hides = (", ".join(one) for one in (facts.preset.learns_from, facts.preset.hides))
        yield f"made of `{facts.preset.of}`"
        yield f"learns from {learns or 'all events'}"
        if hides:
            yield f"leaves out items for which the user has an event {hides}"
    if facts.task is not Task.SEGMENT:
        yield f"scores {'all items' if facts.scored == 'all' else 'items with interactions'}"
    if facts.most_items:
        yield f"considers {facts.most_items:,} items at most, the newest"
    yield from sorted(offer.value for offer in facts.offers)


def _hyperparameter(row: Hyperparameter) -> list[str]:
    allowed = (
        ", ".join(row.values) if row.values else f"{row.low} to {row.high}" if row.low is not None else ""
    )
    return [
        f"`{row.name}`",
        row.place,
        row.type,
        f"`{row.default_text}`",
        allowed,
        "yes" if row.tunable else "",
    ]
