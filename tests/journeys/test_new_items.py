"""Items that nobody met, through boto3: a small shop that lists novelties, and asks as its pages would.

1,100 interactions, which is about what may train: 60 items in six departments, prices that go with them, and
colours that go with nothing; 40 users, each at home in one department. Two novelties a department came
with the catalogue and were never met, two more were met twice lately; others are put after training. One row
claims to be of the year after next: it would make everything else old, and so nothing new.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from openpersonalize.testing.live import LiveCampaign, LiveServer

DEPARTMENTS, KNOWN, NEW, LATELY, USERS, EVENTS = 6, 60, 12, 12, 40, 1100
V1, V2, RANKING = "aws-user-personalization", "aws-user-personalization-v2", "aws-personalized-ranking-v2"
DAY = 86_400
NOW = int(time.time()) - 3600


def department(item: str) -> int:
    return int(item.rsplit("-", 1)[1]) % DEPARTMENTS


def home(user: str) -> int:
    return int(user.rsplit("-", 1)[1]) % DEPARTMENTS


def names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number:02}" for number in range(count)]


def world() -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(5)
    rows = []
    for number in range(EVENTS):
        user = number % USERS
        at_home = rng.random() < 0.75
        pool = [k for k in range(KNOWN) if not at_home or k % DEPARTMENTS == user % DEPARTMENTS]
        item = pool[int(len(pool) * rng.random() ** 1.5)]
        rows.append((f"user-{user:02}", f"known-{item:02}", NOW - int(50 * DAY * rng.random()), "view"))
    for item in range(2 * LATELY):
        user = item % DEPARTMENTS + DEPARTMENTS * int(rng.integers(0, USERS // DEPARTMENTS))
        rows.append((f"user-{user:02}", f"lately-{item % LATELY:02}", NOW - 3600 * item, "view"))
    rows.append(("traveller", "known-01", NOW + 730 * DAY, "view"))
    interactions = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"], orient="row")
    ids = names("known", KNOWN) + names("new", NEW) + names("lately", LATELY)
    items = pl.DataFrame(
        {
            "ITEM_ID": ids,
            "DEPARTMENT": [f"department {department(item)}" for item in ids],
            "PRICE": [10.0 * department(item) + float(rng.random()) for item in ids],
            "COLOUR": [f"colour {rng.integers(0, 4)}" for _ in ids],
            "SHELF": [item.split("-")[0] for item in ids],
            "CREATION_TIMESTAMP": [NOW - (400 * DAY if item.startswith("known") else DAY) for item in ids],
        }
    )
    return interactions, items


@dataclass(frozen=True)
class Shop:
    """The group with a campaign of each recipe, one of them at every weight, and a filter for novelties."""

    server: LiveServer
    campaigns: dict[str, str]
    novelties: str
    items: str
    tracker: str

    @property
    def runtime(self) -> Any:
        return self.server.client("personalize-runtime")


def active(describe: Callable[..., Any], member: str, arn: str) -> str:
    end = time.monotonic() + 120
    while (status := describe(**{f"{member}Arn": arn})[member]["status"]) != "ACTIVE":
        assert not status.endswith("FAILED")
        assert time.monotonic() < end
        time.sleep(0.05)
    return arn


@pytest.fixture(scope="module")
def shop(live_server: LiveServer, live_campaign: Callable[..., LiveCampaign]) -> Shop:
    first = live_campaign(V1, *world(), name="novelties")
    personalize = live_server.client("personalize")
    campaigns, made = {V1: first.arn}, {}
    for recipe in (V2, RANKING):
        solution = personalize.create_solution(
            name=f"novelties-{recipe}",
            datasetGroupArn=first.group,
            recipeArn=f"arn:aws:personalize:::recipe/{recipe}",
            performAutoTraining=False,
        )["solutionArn"]
        active(personalize.describe_solution, "solution", solution)
        made[recipe] = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    for name, weight in (("never", "0"), ("often", "0.9")):
        campaigns[name] = personalize.create_campaign(
            name=f"novelties-{name}",
            solutionVersionArn=first.version,
            campaignConfig={"itemExplorationConfig": {"explorationWeight": weight}},
        )["campaignArn"]
    for recipe, version in made.items():
        active(personalize.describe_solution_version, "solutionVersion", version)
        campaigns[recipe] = personalize.create_campaign(
            name=f"novelties-{recipe}", solutionVersionArn=version
        )["campaignArn"]
    chosen = personalize.create_filter(
        name="novelties",
        datasetGroupArn=first.group,
        filterExpression='INCLUDE ItemID WHERE Items.SHELF IN ("new")',
    )["filterArn"]
    active(personalize.describe_filter, "filter", chosen)
    for campaign in campaigns.values():
        active(personalize.describe_campaign, "campaign", campaign)
    datasets = personalize.list_datasets(datasetGroupArn=first.group)["datasets"]
    items = next(one["datasetArn"] for one in datasets if one["datasetType"] == "ITEMS")
    tracker = personalize.create_event_tracker(name="novelties", datasetGroupArn=first.group)["trackingId"]
    return Shop(live_server, campaigns, chosen, items, tracker)


def recommended(shop: Shop, campaign: str, user: str, count: int = 10, **more: Any) -> list[dict[str, Any]]:
    found = shop.runtime.get_recommendations(
        campaignArn=shop.campaigns[campaign], userId=user, numResults=count, **more
    )
    return list(found["itemList"])


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["itemId"] for entry in entries]


@pytest.mark.parametrize("campaign", [V1, V2, "never"])
def test_a_filter_on_novelties_gives_everybody_those_of_their_own_department_first(
    shop: Shop, campaign: str
) -> None:
    lists = {}
    for user in names("user", USERS):
        lists[user] = ids(recommended(shop, campaign, user, 4, filterArn=shop.novelties))
    assert len({tuple(listed) for listed in lists.values()}) > 20
    first_two = [department(item) == home(user) for user, listed in lists.items() for item in listed[:2]]
    assert np.mean(first_two) > 0.9


@pytest.mark.parametrize("campaign", [V1, V2])
def test_promoted_novelties_are_those_of_the_users_department(shop: Shop, campaign: str) -> None:
    promotion = [{"name": "fresh", "percentPromotedItems": 20, "filterArn": shop.novelties}]
    own = []
    for user in names("user", USERS):
        entries = recommended(shop, campaign, user, promotions=promotion)
        promoted = [entry["itemId"] for entry in entries if entry.get("promotionName") == "fresh"]
        assert len(promoted) == 2
        own += [department(item) == home(user) for item in promoted]
    assert np.mean(own) > 0.9


def test_a_ranking_scores_novelties_by_what_they_are(shop: Shop) -> None:
    own = []
    for user in names("user", USERS):
        found = shop.runtime.get_personalized_ranking(
            campaignArn=shop.campaigns[RANKING],
            userId=user,
            inputList=[*names("new", NEW), "known-00", "nobody-knows-it"],
        )["personalizedRanking"]
        assert ids(found)[-1] == "nobody-knows-it"
        assert "score" not in found[-1]
        assert sum(entry["score"] for entry in found[:-1]) == pytest.approx(1, abs=1e-5)
        ranked = [item for item in ids(found) if item.startswith("new")]
        own += [department(item) == home(user) for item in ranked[:2]]
    assert np.mean(own) > 0.9


def test_of_the_user_of_whom_nothing_is_known_all_novelties_are_alike(shop: Shop) -> None:
    listed = ids(recommended(shop, V2, "never-seen", 12, filterArn=shop.novelties))
    assert sorted(listed) == names("new", NEW)
    found = shop.runtime.get_personalized_ranking(
        campaignArn=shop.campaigns[RANKING], userId="never-seen", inputList=names("new", 3)
    )["personalizedRanking"]
    assert ids(found) == names("new", 3)


@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_exploration_gives_away_what_its_weight_promises_and_never_the_first_place(
    shop: Shop, count: int
) -> None:
    for campaign, least, most in ((V1, 0.06, 0.5), ("often", 0.3, 0.9)):
        share, own, of_lately = [], [], []
        for user in names("user", USERS):
            pure = ids(recommended(shop, "never", user, count))
            for _ in range(2):
                entries = recommended(shop, campaign, user, count)
                assert ids(entries)[0] == pure[0]
                explored = [entry for entry in entries if entry["itemId"] not in pure]
                share.append(len(explored) / count)
                for entry in explored:
                    lately = entry["itemId"].startswith("lately")
                    (of_lately if lately else own).append(department(entry["itemId"]) == home(user))
                scores = [entry["score"] for entry in entries]
                assert scores == sorted(scores, reverse=True)
        if count > 1:
            assert least < np.mean(share) < most
            assert np.mean(own) > 2 / DEPARTMENTS
            # What two people met was drawn a third oftener than by chance: scores hardly part such items.
            assert np.mean(of_lately) > 2 / DEPARTMENTS
        else:
            assert not any(share)


def test_items_put_after_training_are_in_their_place_at_once(shop: Shop) -> None:
    put = [f"new-{number}" for number in range(100, 112)]
    events = shop.server.client("personalize-events")
    properties = [
        {"department": f"department {department(item)}", "price": 10.0 * department(item), "shelf": "new"}
        for item in put
    ]
    for start in (0, 10):
        events.put_items(
            datasetArn=shop.items,
            items=[
                {
                    "itemId": item,
                    "properties": json.dumps({**values, "colour": "colour 1", "creationTimestamp": NOW}),
                }
                for item, values in list(zip(put, properties, strict=True))[start : start + 10]
            ],
        )
    for user in names("user", DEPARTMENTS):
        found = shop.runtime.get_personalized_ranking(
            campaignArn=shop.campaigns[RANKING], userId=user, inputList=put
        )["personalizedRanking"]
        assert [department(item) for item in ids(found)[:2]] == [home(user)] * 2
        assert all("score" in entry for entry in found)
    end = time.monotonic() + 30
    for campaign in (V1, V2, "never"):
        while True:
            listed = ids(recommended(shop, campaign, "user-01", 24, filterArn=shop.novelties))
            if set(put) <= set(listed):
                break
            assert time.monotonic() < end
            time.sleep(0.1)
        assert [department(item) for item in listed[:4]] == [home("user-01")] * 4


def test_the_import_says_how_many_rows_claim_the_future(shop: Shop) -> None:
    told = []
    for job in shop.server.client("personalize").list_dataset_import_jobs()["datasetImportJobs"]:
        address = f"{shop.server.endpoint}/v1/jobs/{job['datasetImportJobArn']}"
        with urllib.request.urlopen(address) as page:
            told += [line["text"] for line in json.load(page)["lines"] if "novelties" in job["jobName"]]
    assert sum("1 row claims to be later than this import" in text for text in told) == 1


def test_a_phone_whose_clock_is_ahead_does_not_hold_its_owners_list(shop: Shop) -> None:
    """Two views of three days to come, then what the user really does: the list goes with that."""
    events = shop.server.client("personalize-events")

    def view(items: list[str], ahead: float) -> None:
        events.put_events(
            trackingId=shop.tracker,
            userId="phone",
            sessionId="s",
            eventList=[
                {"eventType": "view", "itemId": item, "sentAt": time.time() + ahead + place}
                for place, item in enumerate(items)
            ],
        )

    def departments() -> list[int]:
        return [department(item) for item in ids(recommended(shop, "never", "phone", 5))]

    view(["known-00", "known-06"], 3 * DAY)
    assert departments().count(0) >= 3
    for item in ("known-03", "known-09", "known-15", "known-21"):
        view([item], 0)
    assert departments().count(3) >= 3
