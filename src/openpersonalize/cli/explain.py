"""``openpersonalize explain``: why a campaign or recommender of a running server answers as it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..errors import InvalidInput
from .columns import in_columns
from .connection import Connection, connection_options
from .naming import CAMPAIGNS, FILTERS, RECOMMENDERS, found
from .recommend import filter_values, only_recommender


@click.command()
@click.argument("user", required=False)
@click.argument("item", required=False)
@click.option("--campaign", help="by name or ARN  [default: the only one]")
@click.option("--recommender", help="recommender instead of a campaign, by name or ARN")
@click.option("--item", "--anchor", "anchor", help="item that the answer is related to")
@click.option("--filter", "filter_name", help="filter, by name or ARN")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="of the filter; several times")
@click.option("--among", help="items to be ranked, with commas between, for a ranking recipe")
@click.option("--recommendation", help="recommendationId of an answer that was given")
@click.option("--count", type=click.IntRange(1, 500), help="how many items are asked for  [default: 25]")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the explanation as JSON")
def explain(
    user: str | None,
    item: str | None,
    campaign: str | None,
    recommender: str | None,
    anchor: str | None,
    filter_name: str | None,
    values: tuple[str, ...],
    among: str | None,
    recommendation: str | None,
    count: int | None,
    endpoint: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Show why USER is recommended ITEM, or why not; without ITEM, the first items of the answer.

    ADDS is what a source adds to the item's score (its logarithm): WEIGHT times VALUE. SHARE is what of that
    sets the item apart: ADDS less what the source adds to an item on average, as a part of all sources. It
    is 0 beside a large ADDS where all items have as much, and negative beside none where others have more.

    Give "" for USER where the answer is for nobody in particular.
    """
    if not user and anchor is None and recommendation is None and item is None:
        raise InvalidInput("Name a user, an --item, or a --recommendation.")
    connection = Connection.of(endpoint, given)
    request: dict[str, Any] = {
        "userId": user or None,
        "explainItemId": item,
        "itemId": anchor,
        "numResults": count,
        "recommendationId": recommendation,
        "inputList": among.split(",") if among else None,
        "filterValues": filter_values(values) or None,
    }
    if recommendation is None or campaign or recommender:
        if recommender is None and campaign is None:
            recommender = only_recommender(connection)
        if recommender is not None:
            request["recommenderArn"] = found(connection, RECOMMENDERS, recommender, any_region=True)
        else:
            request["campaignArn"] = found(connection, CAMPAIGNS, campaign, any_region=True)
    if filter_name is not None:
        request["filterArn"] = found(connection, FILTERS, filter_name, any_region=True)
    asked = {name: value for name, value in request.items() if value is not None}
    answer = connection.page("/v1/explain", asked)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(f"{answer['arn']} (recipe {answer['recipe']})")
    if "short" in answer["explanation"]:
        click.echo(answer["explanation"]["short"])
    for one in answer["explanation"]["items"]:
        click.echo("\n" + "\n".join(_lines(one)))
    if not answer["explanation"]["items"]:
        click.echo("The answer has no items.")


def _lines(item: Mapping[str, Any]) -> Iterator[str]:
    """What is said of one item."""
    facts = [f"{name} {item[key]}" for name, key in (("rank", "rank"), ("score", "score")) if key in item]
    if item.get("cameBy", "relevance") != "relevance":
        facts.append(f"came by {item['cameBy']}")
    yield f"{item['itemId']}: {item['status']}" + (f" ({', '.join(facts)})" if facts else "")
    yield f"  {item['sentence']}"
    if item.get("sources"):
        rows: list[tuple[str, ...]] = [("  SOURCE", "WEIGHT", "VALUE", "ADDS", "SHARE", "TERM")]
        for one in item["sources"]:
            numbers = (f"{one[key]:.3f}" for key in ("weight", "value", "contribution"))
            rows.append((f"  {one['name']}", *numbers, f"{100 * one['share']:+.0f} %", one["term"]))
        yield in_columns(rows)
    if item.get("history"):
        history: list[tuple[str, ...]] = [("  HISTORY", "EVENT TYPE", "ADDS", "BY")]
        for one in item["history"]:
            by = ", ".join(one["sources"])
            name = one["itemId"] if one.get("recorded", True) else f"{one['itemId']} (no record in Items)"
            history.append((f"  {name}", one.get("eventType", ""), f"{one['contribution']:.3f}", by))
        yield in_columns(history)
