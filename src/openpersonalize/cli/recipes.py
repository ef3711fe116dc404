"""``openpersonalize recipes``: the registered recipes, and which package brought each."""

from __future__ import annotations

import click

from .columns import in_columns

HEADINGS = ("RECIPE", "TYPE", "TRAINS", "PACKAGE", "API")


@click.command()
def recipes() -> None:
    """List the recipes, with the package and the version of the recipe contract of each."""
    from ..recipes.registry import registry

    rows = [HEADINGS]
    rows += [
        (
            one.facts.name,
            str(one.facts.type),
            "yes" if one.recipe else "later",
            f"{one.package} {one.version}",
            str(one.recipe.api) if one.recipe else "-",
        )
        for one in registry().all()
    ]
    click.echo(in_columns(rows))
