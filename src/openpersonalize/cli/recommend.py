"""``openpersonalize recommend``: what a campaign or recommender of a running server answers for a user."""

from __future__ import annotations

import json
from typing import Any

import click
from botocore.exceptions import ClientError

from ..errors import InvalidInput, OpenPersonalizeError
from .columns import in_columns
from .connection import Connection, connection_options, in_one_sentence
from .naming import CAMPAIGNS, FILTERS, RECOMMENDERS, found, listed


@click.command()
@click.argument("user", required=False)
@click.option("--campaign", help="by name or ARN  [default: the only one]")
@click.option("--recommender", help="recommender instead of a campaign, by name or ARN")
@click.option("--item", "--anchor", "item", help="item that the answer is to be related to")
@click.option("--filter", "filter_name", help="filter, by name or ARN")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="of the filter; several times")
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 500), help="how many items")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the answer as JSON")
def recommend(
    user: str | None,
    campaign: str | None,
    recommender: str | None,
    item: str | None,
    filter_name: str | None,
    values: tuple[str, ...],
    count: int,
    endpoint: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Show what is recommended to USER."""
    if user is None and item is None:
        raise InvalidInput("Name a user, an --item, or both.")
    if values and filter_name is None:
        raise InvalidInput("--value fills in a placeholder of a filter: name that with --filter.")
    connection = Connection.of(endpoint, given)
    request: dict[str, Any] = {"numResults": count}
    if recommender is None and campaign is None:
        recommender = only_recommender(connection)
    if recommender is not None:
        request["recommenderArn"] = found(connection, RECOMMENDERS, recommender)
    else:
        request["campaignArn"] = found(connection, CAMPAIGNS, campaign)
    if user is not None:
        request["userId"] = user
    if item is not None:
        request["itemId"] = item
    if filter_name is not None:
        request["filterArn"] = found(connection, FILTERS, filter_name)
    if values:
        request["filterValues"] = filter_values(values)
    try:
        answer = connection.client("personalize-runtime").get_recommendations(**request)
    except ClientError as error:
        raise _with_option(error, user) from error
    if as_json:
        click.echo(json.dumps({key: answer[key] for key in ("recommendationId", "itemList")}, indent=2))
        return
    rows = [("ITEM", "SCORE", "REASON")]
    for one in answer["itemList"]:
        score = f"{one['score']:.5f}" if "score" in one else ""
        rows.append((one["itemId"], score, ", ".join(one.get("reason", ()))))
    click.echo(
        in_columns(rows) if len(rows) > 1 else "Nothing is recommended; a filter may have left nothing."
    )


def filter_values(values: tuple[str, ...]) -> dict[str, str]:
    """A filter's values by name, quoted as the API has them where they are not.

    Raises:
        InvalidInput: some are no NAME=VALUE.
    """
    wrong = [value for value in values if "=" not in value]
    if wrong:
        raise InvalidInput(f"--value must be NAME=VALUE, not {', '.join(wrong)}.")
    pairs = (value.split("=", 1) for value in values)
    return {name: text if text.startswith('"') else f'"{text}"' for name, text in pairs}


def _with_option(error: ClientError, user: str | None) -> OpenPersonalizeError:
    """A refusal with how this command says what is missing."""
    told = in_one_sentence(error).message
    if "itemId is required" in told:
        meant = "" if user is None else f" (--item {user}, if {user} is one)"
        return InvalidInput(f"{told} Its answers are related to an item: say --item ITEM{meant}.")
    if "userId is required" in told:
        return InvalidInput(f"{told} Name the user before the options: openpersonalize recommend USER.")
    if "Missing value for filter parameter" in told:
        return InvalidInput(f"{told} Say --value NAME=VALUE, for each parameter once.")
    return OpenPersonalizeError(told)


def only_recommender(connection: Connection) -> str | None:
    """The one recommender of a server without campaigns."""
    if listed(connection, CAMPAIGNS):
        return None
    there = listed(connection, RECOMMENDERS)
    return str(there[0]["recommenderArn"]) if len(there) == 1 else None
