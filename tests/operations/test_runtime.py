"""The two runtime calls over the wire, with the official clients: answers, real time, filters, refusals.

The data is a shop of four aisles of fifteen items whose users walk along one aisle: whatever learns anything
recommends an aisle to who walks in it. Its campaigns are trained once for the module.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pytest

import promises
import shop
from live import PATIENCE, Clients, Server, Wait, fails, make_clients
from openpersonalize.clock import SystemClock
from openpersonalize.events.stores import open_recommendation_log
from openpersonalize.recipes.facts import Task
from openpersonalize.recipes.registry import facts_of
from openpersonalize.settings import read_settings

REGION = "runtime-region-1"
RECIPE = "arn:aws:personalize:::recipe/"
V1, V2 = "aws-user-personalization", "aws-user-personalization-v2"
RANKING, POPULAR = "aws-personalized-ranking", "aws-popularity-count"
AISLES = 4
ITEMS = [f"i{number:02d}" for number in range(60)]
NEVER_MET = ["never-1", "never-2", "never-3"]
USERS = [f"u{number:02d}" for number in range(60)]
LAST = int(time.time()) - 86_400
MISSING = "arn:aws:personalize:{region}:000000000000:{kind}/missing"


def aisle(item: str) -> int:
    return int(item[1:]) % AISLES


def interactions() -> str:
    """Each user walks along their aisle from a place of their own, 22 steps, and buys at every seventh."""
    lines = ["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE"]
    for number, user in enumerate(USERS):
        own = [item for item in ITEMS if aisle(item) == number % AISLES]
        for step in range(22):
            kind = "purchase" if step % 7 == 6 else "click"
            seconds = LAST - 100_000 + 1000 * number + 10 * step
            lines.append(f"{user},{own[(number // AISLES + step) % len(own)]},{seconds},{kind},")
    return "\n".join(lines) + "\n"


def items() -> str:
    lines = ["ITEM_ID,DEPARTMENT,PRICE,COLOUR,CREATION_TIMESTAMP"]
    for number, item in enumerate(ITEMS + NEVER_MET):
        colour = "red" if number % 2 else ""
        lines.append(f"{item},aisle {number % AISLES},{number}.5,{colour},{LAST - 1000}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Shop:
    """The deployed shop: its clients, and the ARN of the campaign of each recipe."""

    clients: Clients
    wait: Wait
    group: str
    datasets: dict[str, str]
    campaigns: dict[str, str]
    versions: dict[str, str]
    tracker: str

    def recommend(
        self, recipe: str, user: str | None = "u01", count: int = 10, **more: Any
    ) -> list[dict[str, Any]]:
        if user is not None:
            more["userId"] = user
        answer = self.clients.runtime.get_recommendations(
            campaignArn=self.campaigns[recipe], numResults=count, **more
        )
        return list(answer["itemList"])

    def rank(self, user: str, given: list[str], **more: Any) -> list[dict[str, Any]]:
        answer = self.clients.runtime.get_personalized_ranking(
            campaignArn=self.campaigns[RANKING], userId=user, inputList=given, **more
        )
        return list(answer["personalizedRanking"])

    def event(self, user: str, item: str, kind: str = "click") -> None:
        self.clients.events.put_events(
            trackingId=self.tracker,
            userId=user,
            sessionId=f"session of {user}",
            eventList=[{"eventType": kind, "itemId": item, "sentAt": time.time()}],
        )

    def filter(self, name: str, expression: str) -> str:
        """ARN of the filter of that name, made at first use."""
        arn = self.group.replace("dataset-group/aisles", f"filter/{name}")
        made = self.clients.personalize.list_filters(datasetGroupArn=self.group, maxResults=100)["Filters"]
        if arn not in [one["filterArn"] for one in made]:
            self.clients.personalize.create_filter(
                name=name, datasetGroupArn=self.group, filterExpression=expression
            )
            self.wait.active(arn)
        return arn


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["itemId"] for entry in entries]


def scores(entries: list[dict[str, Any]]) -> list[float]:
    return [entry["score"] for entry in entries if "score" in entry]


def deploy(
    clients: Clients, wait: Wait, group: str, recipe: str, name: str, **config: Any
) -> tuple[str, str]:
    """(campaign, version) of a recipe, ACTIVE."""
    version = train(clients, wait, group, recipe, name)
    wait.active(version, 180)
    campaign = clients.personalize.create_campaign(
        name=name, solutionVersionArn=version, **({"campaignConfig": config} if config else {})
    )["campaignArn"]
    wait.active(campaign)
    return str(campaign), version


def train(clients: Clients, wait: Wait, group: str, recipe: str, name: str) -> str:
    """A version of a recipe, which is being trained."""
    personalize = clients.personalize
    solution = personalize.create_solution(
        name=name, datasetGroupArn=group, recipeArn=RECIPE + recipe, performAutoTraining=False
    )["solutionArn"]
    wait.active(solution)
    return str(personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"])


@pytest.fixture(scope="module")
def aisles(server: Server) -> Shop:
    clients = make_clients(server.endpoint, REGION)
    personalize, wait = clients.personalize, Wait(clients.personalize)
    group = personalize.create_dataset_group(name="aisles")["datasetGroupArn"]
    wait.active(group)
    datasets = {}
    users = "USER_ID,AGE,CITY\n" + "".join(f"{user},{20 + k},Lyon\n" for k, user in enumerate(USERS))
    for kind, text in (("Interactions", interactions()), ("Items", items()), ("Users", users)):
        schema = personalize.create_schema(name=f"aisles-{kind}", schema=shop.SCHEMAS[kind])["schemaArn"]
        datasets[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        location = server.put(f"s3://aisles/{kind}.csv", text)
        job = personalize.create_dataset_import_job(
            jobName=f"aisles-{kind}", datasetArn=datasets[kind], dataSource={"dataLocation": location}
        )["datasetImportJobArn"]
        wait.active(job)
    # All items are new here: without exploration answers are to be the same each time.
    still = {"itemExplorationConfig": {"explorationWeight": "0"}}
    made = {
        recipe: deploy(clients, wait, group, recipe, recipe[4:], **config)
        for recipe, config in ((V1, still), (V2, still), (RANKING, {}), (POPULAR, {}))
    }
    tracker = personalize.create_event_tracker(name="aisles", datasetGroupArn=group)["trackingId"]
    campaigns = {recipe: campaign for recipe, (campaign, _) in made.items()}
    versions = {recipe: version for recipe, (_, version) in made.items()}
    return Shop(clients, wait, group, datasets, campaigns, versions, tracker)


@pytest.fixture(scope="module")
def everything(aisles: Shop) -> Shop:
    """With versions of the other custom recipes that this data trains, too."""
    others = [recipe for recipe in promises.CUSTOM if recipe not in aisles.versions]
    made = {recipe: train(aisles.clients, aisles.wait, aisles.group, recipe, recipe[4:]) for recipe in others}
    for version in made.values():
        aisles.wait.active(version, 180)
    return replace(aisles, versions=aisles.versions | made)


@pytest.fixture
def deployed(everything: Shop, recipe: str) -> Iterator[Shop]:
    """With a campaign of this recipe; there may be five at a time."""
    if recipe in everything.campaigns:
        yield everything
        return
    personalize = everything.clients.personalize
    campaign = personalize.create_campaign(name=recipe[4:], solutionVersionArn=everything.versions[recipe])[
        "campaignArn"
    ]
    everything.wait.active(campaign)
    yield replace(everything, campaigns=everything.campaigns | {recipe: campaign})
    personalize.delete_campaign(campaignArn=campaign)
    everything.wait.gone(campaign)


NOT_BOUGHT = ("not-bought", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")')
BY_AISLE = ("by-aisle", "INCLUDE ItemID WHERE Items.DEPARTMENT IN ($AISLE)")
NOT_IN_AISLE = ("not-in-aisle", "EXCLUDE ItemID WHERE Items.DEPARTMENT IN ($AISLE)")
CHEAP = ("cheap", "INCLUDE ItemID WHERE Items.PRICE < 3")


# -- what the answers are


@pytest.mark.parametrize("recipe", [V1, V2])
def test_a_user_is_recommended_their_own_aisle(aisles: Shop, recipe: str) -> None:
    for user in ("u00", "u01", "u02", "u03"):
        found = ids(aisles.recommend(recipe, user, 5))
        assert {aisle(item) for item in found} == {int(user[1:]) % AISLES}


@pytest.mark.parametrize("recipe", [V1, V2, POPULAR])
def test_the_same_request_twice(aisles: Shop, recipe: str) -> None:
    runtime, request = aisles.clients.runtime, {"campaignArn": aisles.campaigns[recipe], "userId": "u07"}
    one, other = runtime.get_recommendations(**request), runtime.get_recommendations(**request)
    assert one["itemList"] == other["itemList"]
    assert one["recommendationId"] != other["recommendationId"]
    assert all(found["recommendationId"].startswith("RID-") for found in (one, other))
    assert all(len(found["recommendationId"]) == 40 for found in (one, other))


def test_scores_sum_to_one_over_the_catalogue(aisles: Shop) -> None:
    entries = aisles.recommend(V1, "u01", 500)
    assert sorted(ids(entries)) == sorted(ITEMS + NEVER_MET)
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-4)
    assert scores(entries) == sorted(scores(entries), reverse=True)
    assert all("reason" not in entry for entry in entries)


def test_v2_scores_the_items_that_were_met_and_fills_up_with_the_others(aisles: Shop) -> None:
    entries = aisles.recommend(V2, "u01", 500)
    assert sorted(ids(entries)) == sorted(ITEMS + NEVER_MET)
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-4)
    fill_ups = [entry["itemId"] for entry in entries if "score" not in entry]
    assert fill_ups[0] == "never-2", "that of the user's own aisle"
    assert sorted(fill_ups) == NEVER_MET
    assert [entry["reason"] for entry in entries] == [[]] * len(ITEMS) + [["Popular item"]] * len(NEVER_MET)


def test_v2_fills_up_behind_a_filter(aisles: Shop) -> None:
    chosen = aisles.filter("few", "INCLUDE ItemID WHERE Items.PRICE > 58")
    entries = aisles.recommend(V2, "u01", 10, filterArn=chosen)
    assert sorted(ids(entries[:2])) == ["i58", "i59"]
    assert [entry["reason"] for entry in entries] == [[], [], *[["Popular item"]] * 3]
    assert ["score" in entry for entry in entries] == [True, True, False, False, False]


def test_popular_items_have_no_scores_and_are_everybodys(aisles: Shop) -> None:
    entries = aisles.recommend(POPULAR, "u01", 500)
    assert entries == aisles.recommend(POPULAR, "u02", 500) == aisles.recommend(POPULAR, None, 500)
    assert all(set(entry) == {"itemId"} for entry in entries)
    assert sorted(ids(entries)) == sorted(ITEMS + NEVER_MET)


def test_numbers_of_results(aisles: Shop) -> None:
    runtime, campaign = aisles.clients.runtime, aisles.campaigns[V1]
    assert len(runtime.get_recommendations(campaignArn=campaign, userId="u01")["itemList"]) == 25
    assert len(aisles.recommend(V1, "u01", 0)) == 25
    assert len(aisles.recommend(V1, "u01", 1)) == 1
    assert len(aisles.recommend(V1, "u01", 500)) == len(ITEMS + NEVER_MET)
    message = fails("InvalidInputException", aisles.recommend, recipe=V1, count=501)
    assert message == "numResults must be at most 500."


def test_an_item_sent_along_changes_nothing(aisles: Shop) -> None:
    assert aisles.recommend(V1, "u01", itemId="i02") == aisles.recommend(V1, "u01")


def test_context_is_accepted(aisles: Shop) -> None:
    context = {"DEVICE": "phone", "USER_ID": "somebody else"}
    assert aisles.recommend(V1, "u01", context=context) == aisles.recommend(V1, "u01")
    given = ITEMS[:5]
    assert aisles.rank("u01", given, context=context) == aisles.rank("u01", given)


def test_the_exploration_weight_of_a_campaign_decides_how_much_new_items_move(aisles: Shop) -> None:
    config = {"itemExplorationConfig": {"explorationWeight": "0.9", "explorationItemAgeCutOff": "30"}}
    personalize, runtime = aisles.clients.personalize, aisles.clients.runtime
    campaign = personalize.create_campaign(
        name="exploring", solutionVersionArn=aisles.versions[V1], campaignConfig=config
    )["campaignArn"]
    described = aisles.wait.active(campaign)
    assert described["campaignConfig"]["itemExplorationConfig"] == config["itemExplorationConfig"]
    lists = [
        tuple(ids(runtime.get_recommendations(campaignArn=campaign, userId="u01", numResults=10)["itemList"]))
        for _ in range(12)
    ]
    assert len(set(lists)) > 1  # with a weight of 0, as in `aisles`, it is always the same
    assert {item for found in lists for item in found} - set(ids(aisles.recommend(V1, "u01", 10)))
    personalize.delete_campaign(campaignArn=campaign)
    aisles.wait.gone(campaign)


# -- real time


@pytest.mark.parametrize("recipe", [V1, V2])
def test_new_users_begin_popular_and_become_personal(aisles: Shop, recipe: str) -> None:
    user, bystander = f"new-{recipe}", f"bystander-{recipe}"
    before = aisles.recommend(recipe, user, 63)
    assert ids(before) == ids(aisles.recommend(POPULAR, None, 63))
    for item in ("i02", "i06", "i10"):
        aisles.event(user, item)
    after = ids(aisles.recommend(recipe, user, 63))
    assert sum(aisle(item) == 2 for item in after[:10]) > sum(aisle(item) == 2 for item in ids(before)[:10])
    assert aisles.recommend(recipe, bystander, 63) == before


def test_a_session_is_asked_for_as_a_user(aisles: Shop) -> None:
    before = aisles.recommend(V1, "anonymous-1", 63)
    aisles.clients.events.put_events(
        trackingId=aisles.tracker,
        sessionId="anonymous-1",
        eventList=[{"eventType": "click", "itemId": "i03", "sentAt": time.time()}],
    )
    assert aisles.recommend(V1, "anonymous-1", 63) != before


@pytest.mark.parametrize("recipe", sorted({*promises.CUSTOM} - promises.BY_THE_CLOCK))
def test_streamed_events_count_at_once_where_that_is_promised_and_nowhere_else(
    deployed: Shop, recipe: str
) -> None:
    """Somebody new looks at four items of aisle 2."""
    facts, person = facts_of(recipe), f"late-{recipe}"
    assert facts is not None
    own = [item for item in ITEMS if aisle(item) == 2]

    def answer() -> list[str]:
        if facts.task is Task.RERANK:
            ranked = deployed.clients.runtime.get_personalized_ranking(
                campaignArn=deployed.campaigns[recipe], userId=person, inputList=ITEMS
            )
            return ids(ranked["personalizedRanking"])[:8]
        asked = {"itemId": "i05"} if facts.task.anchored else {}
        return ids(deployed.recommend(recipe, person, 8, **asked))

    before = answer()
    for item in own[4:8]:
        deployed.event(person, item)
    if recipe in promises.AT_ONCE:
        assert sum(item in own for item in before) < 6
        assert sum(item in own for item in answer()) >= 7
    else:
        assert answer() == before


@pytest.mark.parametrize("recipe", promises.CUSTOM)
def test_metrics_have_the_names_and_the_range_of_the_guide(everything: Shop, recipe: str) -> None:
    found = everything.clients.personalize.get_solution_metrics(
        solutionVersionArn=everything.versions[recipe]
    )["metrics"]
    assert found.keys() == promises.metrics_of(recipe)
    assert all(0 <= value <= 1 and round(value, 4) == value for value in found.values())
    assert found["coverage"] > 0


def test_popularity_waits_for_the_next_training(aisles: Shop) -> None:
    before = aisles.recommend(POPULAR, None, 63)
    for _ in range(5):
        aisles.event("fan", "i59")
    assert aisles.recommend(POPULAR, None, 63) == before


def test_an_answer_is_remembered_by_its_id(aisles: Shop, server: Server) -> None:
    answer = aisles.clients.runtime.get_recommendations(campaignArn=aisles.campaigns[V1], userId="u11")
    id = answer["recommendationId"]
    aisles.clients.events.put_events(
        trackingId=aisles.tracker,
        userId="u11",
        sessionId="s",
        eventList=[
            {
                "eventType": "click",
                "itemId": answer["itemList"][0]["itemId"],
                "sentAt": time.time(),
                "recommendationId": id,
            }
        ],
    )
    settings = read_settings({"data_dir": str(server.data)}, {})
    with closing(open_recommendation_log(settings, SystemClock())) as log:
        end = time.monotonic() + 10 * PATIENCE
        while not len(shown := log.shown(pl.Series([id, "RID-unknown"]))):
            assert time.monotonic() < end, "the answer was forgotten"
            time.sleep(0.05)
    assert shown.rows() == [(id, ids(answer["itemList"]))]


# -- filters


def test_what_was_bought_before_the_login_is_left_out_from_the_next_training_on(aisles: Shop) -> None:
    personalize, chosen = aisles.clients.personalize, aisles.filter(*NOT_BOUGHT)
    for user, item, kind in ((None, "i07", "Purchase"), (None, "i11", "click"), ("visitor", "i15", "click")):
        aisles.clients.events.put_events(
            trackingId=aisles.tracker,
            sessionId="of the visitor",
            eventList=[{"eventType": kind, "itemId": item, "sentAt": time.time()}],
            **({} if user is None else {"userId": user}),
        )
    assert "i07" in ids(aisles.recommend(POPULAR, "visitor", 63, filterArn=chosen))
    assert "i07" not in ids(aisles.recommend(POPULAR, "of the visitor", 63, filterArn=chosen))
    campaign, version = deploy(aisles.clients, aisles.wait, aisles.group, POPULAR, "after-the-login")
    try:
        asked = {"campaignArn": campaign, "filterArn": chosen, "numResults": 63}
        left = ids(aisles.clients.runtime.get_recommendations(**asked, userId="visitor")["itemList"])
        assert set(ITEMS) - set(left) == {"i07"}
    finally:
        personalize.delete_campaign(campaignArn=campaign)
        aisles.wait.gone(campaign)
        personalize.delete_solution(solutionArn=version.rpartition("/")[0])


def test_what_was_bought_just_now_is_left_out(aisles: Shop) -> None:
    chosen = aisles.filter(*NOT_BOUGHT)
    for recipe in (V1, V2, POPULAR):
        first = ids(aisles.recommend(recipe, "u15", 3, filterArn=chosen))[0]
        aisles.event("u15", first, "Purchase")
        assert first not in ids(aisles.recommend(recipe, "u15", 63, filterArn=chosen))


def test_what_was_bought_before_the_import_is_left_out(aisles: Shop) -> None:
    lines = [line.split(",") for line in interactions().splitlines()[1:]]
    bought = {item for user, item, _, kind, _ in lines if (user, kind) == ("u21", "purchase")}
    left = ids(aisles.recommend(POPULAR, "u21", 63, filterArn=aisles.filter(*NOT_BOUGHT)))
    assert set(ITEMS + NEVER_MET) - set(left) == bought


def test_filter_values(aisles: Shop) -> None:
    include, exclude = aisles.filter(*BY_AISLE), aisles.filter(*NOT_IN_AISLE)
    values = {"AISLE": '"aisle 1","aisle 2"'}
    found = ids(aisles.recommend(V1, "u01", 63, filterArn=include, filterValues=values))
    assert {aisle(item) for item in found if item in ITEMS} == {1, 2}
    assert len(ids(aisles.recommend(V1, "u01", 63, filterArn=exclude, filterValues=values))) == 63 - len(
        found
    )
    assert aisles.recommend(V1, "u01", 63, filterArn=exclude) == aisles.recommend(V1, "u01", 63)
    message = fails("InvalidInputException", aisles.recommend, recipe=V1, filterArn=include)
    assert message == "Missing value for filter parameter AISLE."
    wrong = {"AISLE": '"aisle 1'}
    message = fails(
        "InvalidInputException", aisles.recommend, recipe=V1, filterArn=include, filterValues=wrong
    )
    assert message == "Invalid value for filter parameter AISLE."
    assert aisles.recommend(V1, "u01", filterValues=values) == aisles.recommend(V1, "u01")


def test_filter_values_that_nothing_asks_for_are_told(aisles: Shop, server: Server) -> None:
    def counted() -> float:
        time.sleep(1.1)  # the page is made once a second
        with urllib.request.urlopen(f"{server.endpoint}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if line.startswith("openpersonalize_unknown_filter_values_total ")]
        return float(found[0].split()[1]) if found else 0.0

    exclude, before = aisles.filter(*NOT_IN_AISLE), counted()
    values = {"AISEL": '"aisle 1"', "ISLE": '"aisle 1"'}
    answer = aisles.recommend(V1, "u01", 63, filterArn=exclude, filterValues=values)
    assert answer == aisles.recommend(V1, "u01", 63)
    assert counted() == before + 2
    assert "has no placeholder $AISEL, $ISLE; its placeholders: $AISLE." in server.log.read_text()


def test_a_filter_works_before_the_cut(aisles: Shop) -> None:
    chosen = aisles.filter(*BY_AISLE)
    values = {"AISLE": '"aisle 3"'}
    found = ids(aisles.recommend(V1, "u00", 5, filterArn=chosen, filterValues=values))
    assert len(found) == 5
    assert {aisle(item) for item in found} == {3}


def test_a_put_item_is_filtered_and_shown_at_once(aisles: Shop) -> None:
    chosen = aisles.filter("novelty", 'INCLUDE ItemID WHERE Items.DEPARTMENT IN ("novelty")')
    assert aisles.recommend(POPULAR, None, filterArn=chosen) == []
    properties = {"department": "novelty", "price": 1.5, "creationTimestamp": LAST}
    for item in ("never-3", "brand-new"):
        aisles.clients.events.put_items(
            datasetArn=aisles.datasets["Items"],
            items=[{"itemId": item, "properties": json.dumps(properties)}],
        )
    end = time.monotonic() + 20
    for recipe in (V1, V2, POPULAR):  # what the model does not know joins a moment later
        while (found := ids(aisles.recommend(recipe, filterArn=chosen))) != ["never-3", "brand-new"]:
            assert sorted(found) in (["never-3"], ["brand-new", "never-3"])
            if len(found) == 2 and recipe != POPULAR:
                break  # in the order of what their records say to the user
            assert time.monotonic() < end
            time.sleep(0.05)
    ranked = aisles.rank("u01", ["i01", "brand-new", "never-3", "unheard-of"], filterArn=chosen)
    assert ids(ranked) == ["brand-new", "never-3"]


def test_a_deleted_filter_is_gone_at_once(aisles: Shop) -> None:
    chosen = aisles.filter("passing", "INCLUDE ItemID WHERE Items.PRICE < 9")
    assert aisles.recommend(V1, filterArn=chosen)
    aisles.clients.personalize.delete_filter(filterArn=chosen)
    aisles.wait.gone(chosen)
    message = fails("ResourceNotFoundException", aisles.recommend, recipe=V1, filterArn=chosen)
    assert message == f"Filter not found: {chosen}"


def test_filters_that_do_not_fit(aisles: Shop) -> None:
    def refused(arn: str, **more: Any) -> str:
        message = fails("InvalidInputException", aisles.recommend, filterArn=arn, **more)
        assert message.startswith(f"Filter {arn} cannot be used with this request: ")
        return message

    users = aisles.filter("users", "INCLUDE UserID WHERE Users.AGE > 5")
    assert "UserID" in refused(users, recipe=V1)
    current = aisles.filter("current", "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE")
    assert "CurrentItem" in refused(current, recipe=V1)
    assert "userId" in refused(aisles.filter(*NOT_BOUGHT), recipe=POPULAR, user=None)
    other = aisles.clients.personalize.create_dataset_group(name="other")["datasetGroupArn"]
    aisles.wait.active(other)
    schema = aisles.group.replace("dataset-group/aisles", "schema/aisles-Items")
    aisles.clients.personalize.create_dataset(
        name="Items", datasetGroupArn=other, datasetType="Items", schemaArn=schema
    )
    foreign = aisles.clients.personalize.create_filter(
        name="foreign", datasetGroupArn=other, filterExpression=CHEAP[1]
    )["filterArn"]
    aisles.wait.active(foreign)
    assert "another dataset group" in refused(foreign, recipe=V1)


# -- promotions


def test_promoted_items(aisles: Shop) -> None:
    chosen = aisles.filter("aisle-three", 'INCLUDE ItemID WHERE Items.DEPARTMENT IN ("aisle 3")')
    promotion = {"name": "sale", "percentPromotedItems": 30, "filterArn": chosen}
    for recipe in (V1, V2):
        entries = aisles.recommend(recipe, "u01", 10, promotions=[promotion])
        promoted = [entry for entry in entries if "promotionName" in entry]
        others = [entry for entry in entries if "promotionName" not in entry]
        assert [len(promoted), len(others), len(set(ids(entries)))] == [3, 7, 10]
        assert {aisle(item) for item in ids(promoted)} == {3}
        assert {entry["promotionName"] for entry in promoted} == {"sale"}
        for part in (promoted, others):
            assert scores(part) == sorted(scores(part), reverse=True)
        assert all(entry.get("reason") == (["Promoted item"] if recipe == V2 else None) for entry in promoted)


def test_promotions_that_cannot_be(aisles: Shop) -> None:
    cheap = aisles.filter(*CHEAP)
    message = fails("InvalidInputException", aisles.recommend, recipe=V1, promotions=[{"name": "sale"}])
    assert message == "A promotion must have percentPromotedItems and filterArn."
    gone = MISSING.format(region=REGION, kind="filter")
    promotion = {"name": "sale", "percentPromotedItems": 30, "filterArn": gone}
    assert gone in fails("ResourceNotFoundException", aisles.recommend, recipe=V1, promotions=[promotion])
    for percent in (0, 101):
        wrong = {"name": "sale", "percentPromotedItems": percent, "filterArn": cheap}
        with pytest.raises(Exception, match=r"percentPromotedItems"):
            aisles.recommend(V1, promotions=[wrong])


# -- metadata


def test_metadata_of_items(aisles: Shop) -> None:
    entries = aisles.recommend(V2, "u01", 50, metadataColumns={"ITEMS": ["DEPARTMENT", "PRICE", "COLOUR"]})
    by_item = {entry["itemId"]: entry["metadata"] for entry in entries}
    assert by_item["i01"] == {"DEPARTMENT": "aisle 1", "PRICE": "1.5", "COLOUR": "red"}
    assert by_item["i04"] == {"DEPARTMENT": "aisle 0", "PRICE": "4.5"}
    lower = aisles.recommend(V2, "u01", 1, metadataColumns={"items": ["PRICE"]})
    assert list(lower[0]["metadata"]) == ["PRICE"]


def test_metadata_that_cannot_be(aisles: Shop) -> None:
    columns = {"ITEMS": ["PRICE"]}

    def refused(**more: Any) -> str:
        return fails("InvalidInputException", aisles.recommend, **{"recipe": V2, **more})

    assert refused(count=51, metadataColumns=columns) == (
        "numResults must be at most 50. With metadataColumns an answer has at most 50 items, else 500."
    )
    enabled = f"Metadata with recommendations is not enabled for {aisles.campaigns[V1]}."
    assert refused(recipe=V1, metadataColumns=columns) == enabled
    assert refused(metadataColumns={"ITEMS": ["WEIGHT"]}) == "Unknown column WEIGHT in dataset ITEMS."
    assert "USERS" in refused(metadataColumns={"USERS": ["AGE"]})
    assert "10 columns" in refused(metadataColumns={"ITEMS": ["PRICE"] * 11})


def test_metadata_by_campaign_configuration(aisles: Shop) -> None:
    campaign = aisles.clients.personalize.create_campaign(
        name="with-metadata",
        solutionVersionArn=aisles.versions[POPULAR],
        campaignConfig={"enableMetadataWithRecommendations": True},
    )["campaignArn"]
    aisles.wait.active(campaign)
    answer = aisles.clients.runtime.get_recommendations(
        campaignArn=campaign, metadataColumns={"ITEMS": ["DEPARTMENT"]}
    )
    assert [set(entry["metadata"]) for entry in answer["itemList"]] == [{"DEPARTMENT"}] * 25
    aisles.clients.personalize.delete_campaign(campaignArn=campaign)
    aisles.wait.gone(campaign)
    message = fails(
        "ResourceNotFoundException", aisles.clients.runtime.get_recommendations, campaignArn=campaign
    )
    assert message == f"Campaign not found: {campaign}"


# -- ranking


def test_a_ranking(aisles: Shop) -> None:
    given = ["unknown", "i01", "i02", "never-1", "i05", "i03"]
    entries = aisles.rank("u01", given)
    assert ids(entries)[5:] == ["unknown"]
    assert {aisle(item) for item in ids(entries)[:2]} == {1}
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-5)
    assert len(scores(entries)) == 5, "an item without interactions is ranked by its metadata"
    assert scores(entries) == sorted(scores(entries), reverse=True)


def test_a_ranking_for_somebody_new_is_by_popularity_until_something_happens(aisles: Shop) -> None:
    entries = aisles.rank("nobody", sorted(ITEMS))
    assert ids(entries) == [i for i in ids(aisles.recommend(POPULAR, None, 63)) if i in ITEMS]
    assert sum(scores(entries)) == pytest.approx(1, abs=1e-5)
    aisles.event("nobody", "i03")
    assert ids(aisles.rank("nobody", sorted(ITEMS))) != ids(entries)


def test_repeated_ids_count_once(aisles: Shop) -> None:
    assert aisles.rank("u01", ["i05", "i01", "i05"]) == aisles.rank("u01", ["i05", "i01"])


def test_a_ranking_behind_a_filter(aisles: Shop) -> None:
    found = ids(aisles.rank("u01", ["i01", "i30", "i02", "never-1"], filterArn=aisles.filter(*CHEAP)))
    assert sorted(found) == ["i01", "i02"]


def test_rankings_that_cannot_be(aisles: Shop) -> None:
    def refused(given: list[str], **more: Any) -> str:
        return fails("InvalidInputException", aisles.rank, user="u01", given=given, **more)

    assert refused([f"i{k}" for k in range(501)]) == "inputList must have at most 500 items."
    assert len(aisles.rank("u01", [f"i{k}" for k in range(500)])) == 500
    assert "inputList" in refused([])
    assert "empty" in refused(["i01", ""])
    message = fails("InvalidInputException", aisles.rank, user="", given=["i01"])
    assert message == "userId is required for recipe aws-personalized-ranking."


# -- refusals


def test_users_are_required_where_they_matter(aisles: Shop) -> None:
    for recipe in (V1, V2):
        for user in (None, ""):
            message = fails("InvalidInputException", aisles.recommend, recipe=recipe, user=user)
            assert message == f"userId is required for recipe {recipe}."
    assert "userId" in fails("InvalidInputException", aisles.recommend, recipe=POPULAR, user="")
    assert "itemId" in fails("InvalidInputException", aisles.recommend, recipe=V1, itemId="")


def test_one_arn_and_only_one(aisles: Shop) -> None:
    call = aisles.clients.runtime.get_recommendations
    both = {
        "campaignArn": aisles.campaigns[V1],
        "recommenderArn": MISSING.format(region=REGION, kind="recommender"),
    }
    for request in ({}, both):
        message = fails("InvalidInputException", call, userId="u01", **request)
        assert message == "Provide either campaignArn or recommenderArn."


def test_what_does_not_exist(aisles: Shop) -> None:
    call = aisles.clients.runtime.get_recommendations
    for kind, member, noun in (
        ("campaign", "campaignArn", "Campaign"),
        ("recommender", "recommenderArn", "Recommender"),
    ):
        arn = MISSING.format(region=REGION, kind=kind)
        message = fails("ResourceNotFoundException", call, userId="u01", **{member: arn})
        assert message == f"{noun} not found: {arn}"
    elsewhere = aisles.campaigns[V1].replace(REGION, "eu-central-1")
    assert elsewhere in fails("ResourceNotFoundException", call, userId="u01", campaignArn=elsewhere)
    solution = aisles.versions[V1].rpartition("/")[0]
    assert solution in fails("ResourceNotFoundException", call, userId="u01", campaignArn=solution)


def test_each_operation_has_its_recipes(aisles: Shop) -> None:
    message = fails("InvalidInputException", aisles.recommend, recipe=RANKING)
    assert message == f"Recipe {RANKING} is not supported by GetRecommendations."
    message = fails(
        "InvalidInputException",
        aisles.clients.runtime.get_personalized_ranking,
        campaignArn=aisles.campaigns[V1],
        userId="u01",
        inputList=["i01"],
    )
    assert message == f"Recipe {V1} is not supported by GetPersonalizedRanking."


def test_the_order_of_checks(aisles: Shop) -> None:
    """Of two mistakes the one that comes first in the order is reported."""
    gone = MISSING.format(region=REGION, kind="filter")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"recipe": RANKING, "user": None}, "not supported"),
        ({"recipe": V1, "user": None, "count": 501}, "userId"),
        ({"recipe": V1, "count": 501, "metadataColumns": {"ITEMS": ["PRICE"]}}, "numResults"),
        ({"recipe": V1, "metadataColumns": {"ITEMS": ["PRICE"]}, "promotions": [{"name": "x"}]}, "Metadata"),
        ({"recipe": V1, "promotions": [{"name": "x"}], "filterArn": gone}, "promotion"),
    ]
    for request, expected in wrong:
        assert expected in fails("InvalidInputException", aisles.recommend, **request)


# -- updates


def test_an_update_never_costs_a_call(aisles: Shop) -> None:
    """While campaigns are swapped between two recipes, every call is answered by one of them."""
    personalize, runtime = aisles.clients.personalize, aisles.clients.runtime
    campaign = personalize.create_campaign(name="swapped", solutionVersionArn=aisles.versions[POPULAR])[
        "campaignArn"
    ]
    aisles.wait.active(campaign)

    def ask() -> bool:
        answer = runtime.get_recommendations(campaignArn=campaign, userId="u01", numResults=5)
        return "score" in answer["itemList"][0]

    assert ask() is False
    for version, scored in ((aisles.versions[V1], True), (aisles.versions[POPULAR], False)):
        personalize.update_campaign(campaignArn=campaign, solutionVersionArn=version)
        seen = [ask()]
        while aisles.wait.describe(campaign)["latestCampaignUpdate"]["status"] != "ACTIVE":
            seen.append(ask())
        assert ask() is scored
        assert seen == sorted(seen, reverse=not scored), "once the new version answers, the old one does not"
    personalize.delete_campaign(campaignArn=campaign)
    aisles.wait.gone(campaign)


def test_a_crowd_is_answered_while_everything_changes(aisles: Shop, server: Server) -> None:
    """Six callers ask without pause through swaps of the version, streamed events and streamed items."""
    personalize = aisles.clients.personalize
    campaign = personalize.create_campaign(name="busy", solutionVersionArn=aisles.versions[POPULAR])[
        "campaignArn"
    ]
    aisles.wait.active(campaign)
    chosen = aisles.filter(*NOT_BOUGHT)
    begun, ended = threading.Barrier(7, timeout=60), threading.Event()

    def caller(number: int) -> int:
        runtime, answers = make_clients(server.endpoint, REGION).runtime, 0
        begun.wait()
        while not ended.is_set():
            more = {"filterArn": chosen} if number % 2 else {}
            answer = runtime.get_recommendations(campaignArn=campaign, userId=f"u{number:02d}", **more)
            assert len(answer["itemList"]) == 25
            answers += 1
        return answers

    with ThreadPoolExecutor(6) as pool:
        callers = [pool.submit(caller, number) for number in range(6)]
        try:
            begun.wait()
            for turn in range(8):
                version = aisles.versions[(V1, V2, POPULAR)[turn % 3]]
                personalize.update_campaign(campaignArn=campaign, solutionVersionArn=version)
                aisles.event("u01", ITEMS[turn], "purchase")
                properties = json.dumps({"department": "moved", "price": 1.0, "creationTimestamp": LAST})
                aisles.clients.events.put_items(
                    datasetArn=aisles.datasets["Items"],
                    items=[{"itemId": f"later-{turn}", "properties": properties}],
                )
                aisles.wait.updated(campaign, "latestCampaignUpdate")
        finally:
            ended.set()
        assert all(one.result() > 0 for one in callers)
    personalize.delete_campaign(campaignArn=campaign)
    aisles.wait.gone(campaign)


def test_a_new_import_reaches_filters_and_metadata(aisles: Shop, server: Server) -> None:
    chosen = aisles.filter("imported", 'INCLUDE ItemID WHERE Items.DEPARTMENT IN ("reopened")')
    assert aisles.recommend(V1, "u01", filterArn=chosen) == []
    text = items().replace("i44,aisle 0", "i44,reopened")
    location = server.put("s3://aisles/again.csv", text)
    job = aisles.clients.personalize.create_dataset_import_job(
        jobName="aisles-again", datasetArn=aisles.datasets["Items"], dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    aisles.wait.active(job)
    assert ids(aisles.recommend(V1, "u01", filterArn=chosen)) == ["i44"]


def test_a_restarted_server_answers_the_same(
    tmp_path_factory: pytest.TempPathFactory, aisles: Shop, server: Server
) -> None:
    """Real-time state lives in the log: a campaign answers after a kill as before it."""
    aisles.event("survivor", "i07")
    asked: list[Callable[[], Any]] = [
        lambda: aisles.recommend(V1, "survivor", 20),
        lambda: aisles.rank("survivor", ITEMS[:20]),
        lambda: ids(aisles.recommend(POPULAR, "u21", 63, filterArn=aisles.filter(*NOT_BOUGHT))),
    ]
    before = [ask() for ask in asked]
    server.kill()
    server.start()
    assert [ask() for ask in asked] == before
