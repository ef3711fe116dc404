"""aws-sims on a live server, through boto3: related items, filters on the current item, metrics, unknown
items."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from openpersonalize.cli.main import main
from openpersonalize.testing.live import LiveCampaign, LiveServer
from openpersonalize.testing.worlds import two_clusters

SIMS = "aws-sims"


@pytest.fixture(scope="module")
def items() -> pl.DataFrame:
    names = [f"{side}{number}" for side in "ab" for number in range(10)]
    return pl.DataFrame(
        {"ITEM_ID": names, "COLOUR": ["red" if name[1] in "13579" else "blue" for name in names],
         "PRICE": [float(name[1]) for name in names]}
    )  # fmt: skip


@pytest.fixture(scope="module")
def sims(live_campaign: Callable[..., LiveCampaign], items: pl.DataFrame) -> LiveCampaign:
    return live_campaign(
        SIMS,
        two_clusters(),
        items,
        config={"featureTransformationParameters": {"max_item_interaction_count_percentile": "1.0"}},
    )


def test_the_items_of_the_same_users_come_first_and_never_the_item_itself(sims: LiveCampaign) -> None:
    found = sims.recommend(item="a3", count=25)
    assert {one[0] for one in found[:9]} == {"a"}
    assert {one[0] for one in found[9:]} == {"b"}
    assert "a3" not in found
    assert len(found) == 19


def test_an_item_that_training_did_not_know_has_the_popular_ones(
    sims: LiveCampaign, live_campaign: Callable[..., LiveCampaign]
) -> None:
    popular = live_campaign("aws-popularity-count", two_clusters()).recommend(count=25)
    assert len(popular) == 20
    assert sims.recommend(item="never-seen", count=25) == popular


def test_metrics_have_the_keys_of_the_service(sims: LiveCampaign) -> None:
    assert set(sims.metrics()) == {
        "coverage",
        "mean_reciprocal_rank_at_25",
        *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
        *(f"precision_at_{k}" for k in (5, 10, 25)),
    }
    assert sims.metrics()["normalized_discounted_cumulative_gain_at_10"] > 0.2


def test_an_item_is_required_and_an_answer_has_no_scores(sims: LiveCampaign, live_server: LiveServer) -> None:
    runtime = live_server.client("personalize-runtime")
    with pytest.raises(ClientError, match="itemId is required for recipe aws-sims") as refused:
        runtime.get_recommendations(campaignArn=sims.arn, userId="u000")
    assert refused.value.response["Error"]["Code"] == "InvalidInputException"
    with pytest.raises(ClientError, match="not supported by GetPersonalizedRanking"):
        runtime.get_personalized_ranking(campaignArn=sims.arn, userId="u000", inputList=["a1"])
    region = ("--region", sims.arn.split(":")[3])
    words = ("recommend", "a1", "--campaign", sims.arn, "--endpoint", sims.server.endpoint, *region)
    told = CliRunner().invoke(main, words, env={"AWS_ACCESS_KEY_ID": None, "AWS_PROFILE": None})
    assert told.exit_code == 2
    assert "say --item ITEM (--item a1, if a1 is one)" in told.output
    answer = runtime.get_recommendations(campaignArn=sims.arn, itemId="a1", numResults=3)
    assert all(set(entry) == {"itemId"} for entry in answer["itemList"])


def test_related_items_are_explained_by_score_and_rank(sims: LiveCampaign) -> None:
    def explained(**members: Any) -> list[dict[str, Any]]:
        body = json.dumps({"campaignArn": sims.arn, "itemId": "a3", "numResults": 5, **members}).encode()
        with urllib.request.urlopen(f"{sims.server.endpoint}/v1/explain", body, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["explanation"]["items"]
        return found

    assert [one["status"] for one in explained(explainItemId="a3")] == ["ASKED_ABOUT"]
    found = explained()
    assert [one["itemId"] for one in found] == sims.recommend(item="a3", count=3)
    assert [one["rank"] for one in found] == [1, 2, 3]
    assert all("sources" not in one and "logScore" in one for one in found)


def filtered(sims: LiveCampaign, name: str, expression: str, item: str, **more: Any) -> list[str]:
    """What a filter of this expression leaves of the items related to one."""
    personalize = sims.server.client("personalize")
    arn = personalize.create_filter(name=name, datasetGroupArn=sims.group, filterExpression=expression)[
        "filterArn"
    ]
    while personalize.describe_filter(filterArn=arn)["filter"]["status"] != "ACTIVE":
        pass
    answer = sims.server.client("personalize-runtime").get_recommendations(
        campaignArn=sims.arn, itemId=item, numResults=25, filterArn=arn, **more
    )
    return [entry["itemId"] for entry in answer["itemList"]]


def test_filters_compare_with_the_current_item(sims: LiveCampaign) -> None:
    expression = "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.COLOUR IN CurrentItem.COLOUR"
    assert set(filtered(sims, "cheaper", expression, "a5")) == {"a1", "a3", "b1", "b3"}
    assert set(filtered(sims, "cheaper-too", expression, "b4")) == {"a0", "a2", "b0", "b2"}
    assert filtered(sims, "cheaper-than-nothing", expression, "never-seen") == []


def test_a_current_item_that_came_after_training_has_its_put_record(sims: LiveCampaign) -> None:
    events = sims.server.client("personalize-events")
    dataset = sims.group.replace(":dataset-group/", ":dataset/") + "/ITEMS"
    events.put_items(
        datasetArn=dataset,
        items=[{"itemId": "new", "properties": '{"colour": "red", "price": 4.0}'}],
    )
    expression = "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.COLOUR IN CurrentItem.COLOUR"
    assert set(filtered(sims, "cheaper-than-new", expression, "new")) == {"a1", "a3", "b1", "b3"}


def test_what_was_put_and_passes_a_filter_is_listed(sims: LiveCampaign) -> None:
    """Behind all that has relatives, the newest first."""
    events = sims.server.client("personalize-events")
    dataset = sims.group.replace(":dataset-group/", ":dataset/") + "/ITEMS"
    for number in range(3):
        events.put_items(
            datasetArn=dataset,
            items=[{"itemId": f"late-{number}", "properties": '{"colour": "violet", "price": 1.0}'}],
        )
    chosen = 'INCLUDE ItemID WHERE Items.COLOUR IN ("violet", "red") AND Items.PRICE < 3'
    end = time.monotonic() + 20
    for attempt in itertools.count():
        found = filtered(sims, f"violet-{attempt}", chosen, "a5")
        if len(found) > 3 and {"late-0", "late-1", "late-2"} == set(found[-3:]):
            break
        assert time.monotonic() < end, found
        time.sleep(0.1)
    assert all(one[0] in "ab" for one in found[:-3])
    late = {"late-0", "late-1", "late-2"}
    cheaper = "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE"
    assert late <= set(filtered(sims, "cheaper-late", cheaper, "a5"))
    alike = "INCLUDE ItemID WHERE Items.COLOUR IN CurrentItem.COLOUR"
    assert set(filtered(sims, "violet-too", alike, "late-0")) == late - {"late-0"}


def test_what_a_user_met_goes_by_a_filter_on_the_user(sims: LiveCampaign) -> None:
    world = two_clusters()
    names = world.items.strings()
    met = {names[item] for item in world.item[world.ptr[0] : world.ptr[1]].tolist()}
    everything = set(sims.recommend(item="a3", count=25))
    left = filtered(
        sims, "not-met", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")', "a3", userId="u000"
    )
    assert set(left) == everything - met


def test_similar_items_answer_also_about_an_item_put_after_training(
    live_campaign: Callable[..., LiveCampaign], items: pl.DataFrame
) -> None:
    """Whose side says its metadata; of an unknown item the popular ones come."""
    sides = items.with_columns(pl.Series("SIDE", [name[0] for name in items["ITEM_ID"]]))
    campaign = live_campaign("aws-similar-items", two_clusters(), sides)
    assert {one[0] for one in campaign.recommend(item="a3", count=9)} == {"a"}
    assert "a3" not in campaign.recommend(item="a3", count=25)
    popular = campaign.recommend(item="nobody-knows", count=20)
    group = campaign.group.replace(":dataset-group/", ":dataset/")
    campaign.server.client("personalize-events").put_items(
        datasetArn=f"{group}/ITEMS",
        items=[{"itemId": "late", "properties": '{"side": "b", "colour": "red", "price": 3.0}'}],
    )
    found = campaign.recommend(item="late", count=10)
    assert found != popular[:10]
    assert {one[0] for one in found} == {"b"}
    # What was put is ordered by its record as well, where a filter asks for it.
    campaign.server.client("personalize-events").put_items(
        datasetArn=f"{group}/ITEMS",
        items=[
            {
                "itemId": f"new-{side}",
                "properties": json.dumps({"side": side, "colour": "violet", "price": 5.0}),
            }
            for side in "ab"
        ],
    )
    expression = 'INCLUDE ItemID WHERE Items.COLOUR IN ("violet")'
    end = time.monotonic() + 20
    for attempt in itertools.count():
        left = filtered(campaign, f"put-{attempt}", expression, "a3")
        if len(left) == 2:
            break
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert left == ["new-a", "new-b"]
    assert filtered(campaign, "put-of-b", expression, "b3") == ["new-b", "new-a"]
    assert filtered(campaign, "put-of-late", expression, "late") == ["new-b", "new-a"]
