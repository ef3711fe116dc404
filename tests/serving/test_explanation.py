"""Explanations through a live server: what made a score, who spoke for an item, what removed it."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from openpersonalize.cli.main import main
from openpersonalize.testing.live import LiveCampaign
from openpersonalize.testing.worlds import two_clusters

UNRECORDED = "a3"


@pytest.fixture(scope="module")
def personal(live_campaign: Callable[..., LiveCampaign]) -> LiveCampaign:
    """Of a shop whose items all have a record but one."""
    world = two_clusters()
    ids = [item for item in world.items.strings() if item != UNRECORDED]
    items = pl.DataFrame({"ITEM_ID": ids, "SHELF": ["one"] * len(ids)})
    return live_campaign("aws-user-personalization-v2", world, items, name="explained")


@pytest.fixture(scope="module")
def new_to_user(personal: LiveCampaign) -> str:
    """A filter without what the user met."""
    return a_filter(personal, "new_to_user", "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($types)")


def a_filter(personal: LiveCampaign, name: str, expression: str) -> str:
    personalize = personal.server.client("personalize")
    arn = personalize.create_filter(name=name, datasetGroupArn=personal.group, filterExpression=expression)[
        "filterArn"
    ]
    while personalize.describe_filter(filterArn=arn)["filter"]["status"] != "ACTIVE":
        pass
    return str(arn)


def post(campaign: LiveCampaign, body: object, method: str = "POST") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{campaign.server.endpoint}/v1/explain", data if method == "POST" else None, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def explained(campaign: LiveCampaign, **members: Any) -> Any:
    status, answer = post(campaign, {"campaignArn": campaign.arn, **members})
    assert status == 200, answer
    return answer["explanation"]


def test_the_terms_make_the_score_of_the_answer(personal: LiveCampaign) -> None:
    found = explained(personal, userId="u000", numResults=20)
    scores = {one["itemId"]: one["score"] for one in found["answer"]}
    assert len(found["items"]) == 3
    for one in found["items"]:
        total = sum(term["contribution"] for term in one["sources"])
        assert total == pytest.approx(one["logScore"], abs=1e-3)
        assert math.exp(total - one["logTotal"]) == pytest.approx(scores[one["itemId"]], rel=2e-3)
        assert sum(abs(term["share"]) for term in one["sources"]) == pytest.approx(1)
        assert (one["status"], one["cameBy"]) == ("IN_ANSWER", "relevance")
    assert [one["place"] for one in found["items"]] == [1, 2, 3]


def test_the_user_s_own_side_speaks_for_an_item(personal: LiveCampaign) -> None:
    found = explained(personal, userId="u000", explainItemId="a1", numResults=20)["items"][0]
    assert found["history"]
    assert {spoke["itemId"][0] for spoke in found["history"]} == {"a"}
    assert all(spoke["eventType"] == "click" for spoke in found["history"])
    other = explained(personal, userId="u000", explainItemId="b1", numResults=3)["items"][0]
    assert other["status"] == "BELOW_NUM_RESULTS"
    assert other["rank"] > 8
    assert other["logScore"] < found["logScore"]


def test_what_a_filter_removed_and_why_the_answer_is_short(personal: LiveCampaign, new_to_user: str) -> None:
    world = two_clusters()
    met = world.items.strings()[int(world.item[0])]
    asked = {"userId": "u000", "filterArn": new_to_user, "filterValues": {"types": '"click"'}}
    found = explained(personal, explainItemId=met, numResults=25, **asked)
    assert found["items"][0]["status"] == "REMOVED_BY_FILTER"
    assert "EXCLUDE ItemID" in found["items"][0]["sentence"]
    assert found["catalogue"] == {"items": 20, "newItems": 0, "leftByFilters": 12}
    assert found["short"].startswith("12 of 25 entries: of the 20 items")
    assert len(found["answer"]) == 12
    unasked = explained(personal, userId="u000", explainItemId=met, numResults=25)
    assert unasked["items"][0]["status"] == "IN_ANSWER"
    assert unasked["short"].endswith("the catalogue has no more items.")


def test_an_item_of_the_history_without_a_record_stands_last_and_is_said_to_have_none(
    personal: LiveCampaign,
) -> None:
    places = []
    for user in [f"u{number:03}" for number in range(20)]:
        [one] = explained(personal, userId=user, numResults=1)["items"]
        told = [spoke["itemId"] for spoke in one["history"]]
        without = [spoke["itemId"] for spoke in one["history"] if not spoke.get("recorded", True)]
        assert without == [item for item in told if item == UNRECORDED]
        if without:
            places.append(told.index(UNRECORDED) - len(told))
    assert set(places) == {-1}


def test_an_item_that_nobody_knows(personal: LiveCampaign) -> None:
    found = explained(personal, userId="u000", explainItemId="nothing")["items"]
    assert [one["status"] for one in found] == ["UNKNOWN_ITEM"]


def test_an_answer_that_was_given(personal: LiveCampaign) -> None:
    runtime = personal.server.client("personalize-runtime")
    given = runtime.get_recommendations(campaignArn=personal.arn, userId="u001", numResults=4)
    status, answer = post(personal, {"recommendationId": given["recommendationId"]})
    assert status == 200, answer
    shown = [one["itemId"] for one in given["itemList"]]
    assert (answer["userId"], answer["shown"]["items"]) == ("u001", shown)
    assert [one["itemId"] for one in answer["explanation"]["items"]] == shown[:3]
    status, answer = post(personal, {"recommendationId": given["recommendationId"], "userId": "u002"})
    assert (status, answer["error"]["code"]) == (400, "InvalidInputException")
    assert post(personal, {"recommendationId": "RID-none"})[0] == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"userId": 3}', b'{"user": "u"}', b'{"userId": ""}', b"[" * 100_000,
     b'{"campaignArn": "x", "recommenderArn": "y"}', b'{"numResults": 501}'],
)  # fmt: skip
def test_what_is_wrong_is_said(personal: LiveCampaign, body: bytes) -> None:
    status, answer = post(personal, body)
    assert (status, answer["error"]["code"]) == (400, "InvalidInputException")
    assert answer["error"]["message"]


def test_it_is_asked_by_post_for_a_campaign_that_is_there(personal: LiveCampaign) -> None:
    assert post(personal, b"", "GET")[0] == 400
    assert post(personal, {"campaignArn": f"{personal.arn}-none", "userId": "u"})[0] == 404
    assert post(personal, {"campaignArn": personal.arn})[0] == 400
    assert post(personal, {"campaignArn": personal.arn, "userId": "u", "inputList": ["a1"]})[0] == 400


def test_the_command(personal: LiveCampaign, new_to_user: str) -> None:
    def run(*words: str) -> Any:
        named = ("explain", *words, "--campaign", personal.arn, "--endpoint", personal.server.endpoint)
        return CliRunner().invoke(main, named, env={"AWS_ACCESS_KEY_ID": None, "AWS_PROFILE": None})

    shown = run("u000", "a1", "--count", "20")
    assert shown.exit_code == 0, shown.output
    assert "a1: IN_ANSWER" in shown.output
    assert "transitions (Markov chain)" in shown.output
    assert "HISTORY" in shown.output
    found = json.loads(run("u000", "--json", "--filter", new_to_user, "--value", "types=click").stdout)
    assert found["explanation"]["catalogue"]["leftByFilters"] == 12
    named = ("recommend", "u000", "--campaign", personal.arn, "--endpoint", personal.server.endpoint)
    keys = {"AWS_ACCESS_KEY_ID": None, "AWS_PROFILE": None}
    region = personal.arn.split(":")[3]
    filtered = [*named, "--filter", new_to_user, "--json", "--count", "50", "--region", region]
    answer = json.loads(CliRunner().invoke(main, [*filtered, "--value", "types=click"], env=keys).stdout)
    assert len(answer["itemList"]) == 12
    met = a_filter(personal, "met", "INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($types)")
    for words, told in (
        ([*filtered, "--value", "types"], "--value must be NAME=VALUE, not types."),
        ([*named, "--filter", met, "--region", region], "Say --value NAME=VALUE"),
        ([*named, "--value", "types=click"], "name that with --filter"),
    ):
        refused = CliRunner().invoke(main, words, env=keys)
        assert refused.exit_code == 2
        assert told in refused.output
    for name in ("--item", "--anchor"):
        refused = run("u000", name, "a1")
        assert "No such option" not in refused.output
    assert run().exit_code == 2
    assert run("u000", "--value", "types").exit_code == 2
