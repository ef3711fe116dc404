"""``openpersonalize versions``: the solution versions of a server, and which of two is better."""

from __future__ import annotations

import json
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any

import click

from ..errors import InvalidInput, ResourceNotFound
from .columns import in_columns
from .connection import Connection, connection_options
from .naming import SOLUTIONS, VERSIONS, found, listed, other_region

_NDCG = "normalized_discounted_cumulative_gain"


@click.group()
def versions() -> None:
    """List solution versions, and compare what they scored."""


@versions.command("list")
@click.argument("solution", required=False)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the versions as JSON")
def list_versions(solution: str | None, endpoint: str | None, as_json: bool, **given: object) -> None:
    """List the versions of SOLUTION (name or ARN; of all if left out), the newest last."""
    connection = Connection.of(endpoint, given)
    within = {} if solution is None else {"solutionArn": found(connection, SOLUTIONS, solution)}
    there = sorted(listed(connection, VERSIONS, **within), key=lambda one: one["creationDateTime"])
    if as_json:
        click.echo(json.dumps(there, indent=2, default=str))
        return
    if not there:
        told = f"No solution versions in region {connection.region}."
        click.echo(told + other_region(connection, SOLUTIONS))
        return
    rows = [("VERSION", "SOLUTION", "CREATED", "MODE", "STATUS")]
    for one in there:
        of, name = one["solutionVersionArn"].rsplit("/", 2)[1:]
        created = f"{one['creationDateTime'].astimezone():%Y-%m-%d %H:%M}"
        rows.append((name, of, created, one.get("trainingMode", ""), one["status"]))
    click.echo(in_columns(rows))


@versions.command()
@click.argument("first")
@click.argument("second", required=False)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def compare(first: str, second: str | None, endpoint: str | None, as_json: bool, **given: object) -> None:
    """Compare version SECOND with version FIRST (by name or ARN), or FIRST with the best sellers alone.

    Exit codes: 0, compared; 1, SECOND is clearly worse; 2, they could not be compared.
    """
    connection = Connection.of(endpoint, given)
    arns = [_arn(connection, one) for one in (first, second) if one is not None]
    query = urllib.parse.urlencode([("version", arn) for arn in arns])
    answer = connection.page(f"/v1/versions/compare?{query}")
    both = answer.get("comparison")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        for one in answer["versions"]:
            _show(one)
        if both is not None:
            _show_both(both)
    if both is not None:
        sys.exit(2 if "reason" in both else 1 if both["verdict"] == "worse" else 0)


def _arn(connection: Connection, wanted: str) -> str:
    """Of a version that somebody names by its ARN, or by the end of it.

    Raises:
        ResourceNotFound: there is none. InvalidInput: versions of several solutions are called so.
    """
    if wanted.startswith("arn:"):
        return wanted
    arns = [str(one["solutionVersionArn"]) for one in listed(connection, VERSIONS)]
    named = [arn for arn in arns if arn.endswith(f"/{wanted}")]
    if len(named) == 1:
        return named[0]
    if named:
        raise InvalidInput(f"Several versions are called {wanted}: say SOLUTION/{wanted}.")
    raise ResourceNotFound(
        f"There is no solution version {wanted} in region {connection.region};"
        f" `openpersonalize versions list` names them.{other_region(connection, SOLUTIONS)}"
    )


def _show(version: Mapping[str, Any]) -> None:
    recipe = str(version["recipeArn"]).rpartition("/")[2]
    asked = f"{version['questions']:,} questions"
    click.secho(f"{version['solutionVersionArn']} ({recipe}, {asked})", bold=True)
    rows = [("METRIC", "VALUE", "95 % INTERVAL", "BEST SELLERS", "MORE THAN THOSE", "")]
    for name, one in version["metrics"].items():
        if "low" not in one:
            rows.append((_short(name), _figure(one["value"]), "", "", "", ""))
            continue
        sold, difference = one["bestSellers"], one["difference"]
        rows.append(
            (_short(name), _figure(one["value"]), _bounds(one), _figure(sold["mean"]), *_against(difference))
        )
    click.echo(in_columns(rows))
    if "reason" in version:
        click.echo(version["reason"])
    click.echo("")


def _show_both(both: Mapping[str, Any]) -> None:
    if "reason" in both:
        click.secho("The second beside the first", bold=True)
        click.echo(both["reason"])
        return
    click.secho(f"The second beside the first, on the {both['questions']:,} questions of both", bold=True)
    rows = [("METRIC", "FIRST", "SECOND", "DIFFERENCE", "")]
    for name, one in both["metrics"].items():
        first, second = _figure(one["first"]["mean"]), _figure(one["second"]["mean"])
        rows.append((_short(name), first, second, *_against(one["difference"])))
    click.echo(in_columns(rows))
    said = {
        "better": "The second version is better",
        "worse": "The second version is worse",
        "unclear": "No difference is clear",
    }
    click.echo(f"\n{said[both['verdict']]}, by {_short(both['decidedBy'])}.")


def _short(name: str) -> str:
    return name.replace(_NDCG, "ndcg")


def _figure(value: float) -> str:
    return f"{value:.4f}"


def _bounds(one: Mapping[str, float]) -> str:
    return f"{one['low']:.4f} .. {one['high']:.4f}"


def _against(difference: Mapping[str, Any]) -> tuple[str, str]:
    """A difference with its interval, and what it means."""
    bounds = f"({difference['low']:+.4f} .. {difference['high']:+.4f})"
    return f"{difference['mean']:+.4f} {bounds}", str(difference["verdict"])
