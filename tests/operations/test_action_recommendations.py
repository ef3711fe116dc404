"""GetActionRecommendations over the wire, in a shop whose actions are taken with known probabilities."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import promises
import shop
from live import PATIENCE, Clients, Server, Wait, fails

from .test_actions import Datasets, make_datasets

DAY = 86_400
NOW = int(time.time())
USERS, ACTIONS, KINDS = 400, 12, 4
TASTES = 3
LIKED = np.where(np.arange(ACTIONS) % KINDS == np.arange(TASTES)[:, None], 0.8, 0.25)
"""The probability that a user of each taste takes each action."""
ACTION_HEADER = "ACTION_ID,KIND,VALUE,EXPIRATION_TIMESTAMP,REPEAT_FREQUENCY,CREATION_TIMESTAMP"


@dataclass(frozen=True)
class Bank:
    """A deployed version that does not explore, and what it was made from."""

    datasets: Datasets
    solution: str
    version: str
    campaign: str
    tracker: str

    def ask(self, user: str, count: int | None = None, **more: Any) -> list[tuple[str, float]]:
        """Ids and scores of an answer."""
        asked = {} if count is None else {"numResults": count}
        answer = self.datasets.clients.runtime.get_action_recommendations(
            campaignArn=self.campaign, userId=user, **asked, **more
        )
        assert answer["recommendationId"].startswith("RID-")
        return [(one["actionId"], one["score"]) for one in answer["actionList"]]

    def ids(self, user: str, **more: Any) -> list[str]:
        return [action for action, _ in self.ask(user, 100, **more)]

    def filter(self, name: str, expression: str) -> str:
        arn = self.datasets.clients.personalize.create_filter(
            name=name, datasetGroupArn=self.datasets.group, filterExpression=expression
        )["filterArn"]
        self.datasets.wait.active(arn)
        return str(arn)

    def do(self, user: str, action: str, kind: str) -> None:
        self.datasets.put(
            {
                "actionId": action,
                "userId": user,
                "sessionId": "s",
                "eventType": kind,
                "timestamp": time.time(),
            }
        )


def taste_of(user: int) -> int:
    return user % TASTES


def kind_of(action: str) -> int:
    return int(action[1:]) % KINDS


def interactions(chance: np.random.Generator) -> str:
    lines = [
        f"u{user},i{taste_of(user)}-{chance.integers(0, 20)},{NOW - (60 - n) * DAY},click,"
        for user in range(USERS)
        for n in range(10)
    ]
    return "\n".join(["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE", *lines]) + "\n"


def action_interactions(chance: np.random.Generator) -> str:
    lines = []
    for user in range(USERS):
        for n, action in enumerate(chance.permutation(ACTIONS)[:9].tolist()):
            kind = (
                ("TAKEN", "Taken")
                if chance.random() < LIKED[taste_of(user), action]
                else ("Not taken", "VIEWED")
            )
            lines.append(f"u{user},a{action:02},{kind[n % 2]},{NOW - (35 - n) * DAY},,")
    return "\n".join(["USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP,RECOMMENDATION_ID,ITEM_ID", *lines]) + "\n"


@pytest.fixture(scope="module")
def bank(server: Server, clients: Clients, personalize: Any, wait: Wait) -> Bank:
    chance = np.random.default_rng(0)
    datasets = make_datasets(server, clients, "bank")
    for kind in ("Interactions", "Users"):
        schema = personalize.create_schema(name=f"bank-{kind}", schema=shop.SCHEMAS[kind])["schemaArn"]
        arn = personalize.create_dataset(
            name=kind, datasetGroupArn=datasets.group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        people = "USER_ID,AGE,CITY\n" + "".join(f"u{n},{20 + n % 60},Oslo\n" for n in range(USERS))
        rows = interactions(chance) if kind == "Interactions" else people
        assert datasets.load(arn, kind, rows)["status"] == "ACTIVE"
    records = "".join(f"a{n:02},k{n % KINDS},{n},,,{NOW - 100 * DAY}\n" for n in range(ACTIONS))
    # Seldom shown: no score of its own.
    records += f"rare-cheap,k0,1,,,{NOW - 100 * DAY}\nrare-dear,k0,9,,,{NOW - 100 * DAY}\n"
    assert datasets.load(datasets.actions, "records", f"{ACTION_HEADER}\n{records}")["status"] == "ACTIVE"
    assert datasets.load(datasets.interactions, "events", action_interactions(chance))["status"] == "ACTIVE"
    tracker = personalize.create_event_tracker(name="bank", datasetGroupArn=datasets.group)["trackingId"]
    solution = personalize.create_solution(
        name="bank",
        datasetGroupArn=datasets.group,
        recipeArn="arn:aws:personalize:::recipe/aws-next-best-action",
        performAutoTraining=False,
        solutionConfig={"featureTransformationParameters": {"action_optimization_period": "7"}},
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version, 120)
    campaign = personalize.create_campaign(
        name="bank",
        solutionVersionArn=version,
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "0"}},
    )["campaignArn"]
    wait.active(campaign)
    return Bank(datasets, solution, version, campaign, tracker)


def test_the_first_actions_are_those_of_the_users_taste(bank: Bank) -> None:
    found = [kind_of(bank.ask(f"u{user}", 3)[0][0]) == taste_of(user) for user in range(60)]
    assert np.mean(found) > 0.9


def mean_error(bank: Bank) -> float:
    """Of the scores of 30 users, beside the true probabilities; 0.21 for who knows everybody's mean only."""
    error = []
    for user in range(30):
        answer = bank.ask(f"u{user}", 100)
        scores = [score for _, score in answer]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score < 1 for score in scores[:ACTIONS])
        error += [abs(score - LIKED[taste_of(user), int(action[1:])]) for action, score in answer[:ACTIONS]]
    return float(np.mean(error))


def test_scores_are_probabilities_in_order(bank: Bank) -> None:
    assert mean_error(bank) < 0.14


def test_actions_with_too_few_outcomes_come_last_by_value(bank: Bank) -> None:
    assert bank.ask("u1", 100)[ACTIONS:] == [("rare-dear", 0.0), ("rare-cheap", 0.0)]


def test_nearly_equal_scores_are_equal_and_ordered_by_value(bank: Bank) -> None:
    for user in range(20):
        answer = bank.ask(f"u{user}", 100)[:ACTIONS]
        for (one, first), (other, second) in itertools.pairwise(answer):
            assert len(f"{first:.9f}".replace(".", "").strip("0")) <= 2
            assert first > second or int(one[1:]) > int(other[1:])


def test_how_many(bank: Bank) -> None:
    assert len(bank.ask("u1")) == len(bank.ask("u1", 0)) == 5
    assert [action for action, _ in bank.ask("u1")] == bank.ids("u1")[:5]
    message = fails("InvalidInputException", lambda: bank.ask("u1", 101))
    assert message == "numResults must be at most 100." or "numResults" in message


def test_refusals(bank: Bank, personalize: Any, clients: Clients) -> None:
    runtime, recipe = clients.runtime, "aws-next-best-action"
    assert fails("InvalidInputException", runtime.get_action_recommendations, campaignArn=bank.campaign) == (
        f"userId is required for recipe {recipe}."
    )
    fails("InvalidInputException", runtime.get_action_recommendations, userId="u1")
    missing = bank.campaign + "-missing"
    message = fails(
        "ResourceNotFoundException", runtime.get_action_recommendations, campaignArn=missing, userId="u1"
    )
    assert message.startswith("Campaign not found")
    assert fails(
        "InvalidInputException", runtime.get_recommendations, campaignArn=bank.campaign, userId="u1"
    ) == (f"Recipe {recipe} is not supported by GetRecommendations.")
    assert "not supported by GetPersonalizedRanking" in fails(
        "InvalidInputException",
        runtime.get_personalized_ranking,
        campaignArn=bank.campaign,
        userId="u1",
        inputList=["a"],
    )
    of_items = bank.filter("of-items", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click")')
    message = fails("InvalidInputException", lambda: bank.ids("u1", filterArn=of_items))
    assert "it filters ItemID, not ActionID" in message
    fails(
        "InvalidInputException",
        personalize.create_solution_version,
        solutionArn=bank.solution,
        trainingMode="UPDATE",
    )
    for config in ({"explorationWeight": "2"}, {"explorationItemAgeCutOff": "0"}):
        fails(
            "InvalidInputException",
            personalize.update_campaign,
            campaignArn=bank.campaign,
            campaignConfig={"itemExplorationConfig": config},
        )


def test_metrics_have_the_keys_of_actions(bank: Bank, personalize: Any) -> None:
    metrics = personalize.get_solution_metrics(solutionVersionArn=bank.version)["metrics"]
    assert set(metrics) == promises.metrics_of("aws-next-best-action")
    assert metrics["area_under_curve"] > 0.65  # 0.72 is possible
    assert all(0 < value <= 1 for value in metrics.values())


def test_what_somebody_new_does_with_items_counts_at_once(bank: Bank) -> None:
    before = bank.ask("new-with-items", 3)
    for n in range(4):
        event = {"eventType": "click", "itemId": f"i2-{n}", "sentAt": time.time()}
        bank.datasets.clients.events.put_events(
            trackingId=bank.tracker, sessionId="s", userId="new-with-items", eventList=[event]
        )
    after = bank.ask("new-with-items", 3)
    assert after != before
    assert {kind_of(action) for action, _ in after} == {2}
    assert bank.ask("somebody-else", 3) == before


def test_what_somebody_new_does_with_actions_counts_at_once(bank: Bank) -> None:
    before = dict(bank.ask("new-with-actions", 100))
    bank.do("new-with-actions", "a01", "taken")
    bank.do("new-with-actions", "a04", "NOT_TAKEN")
    after = dict(bank.ask("new-with-actions", 100))
    assert after["a05"] > before["a05"]  # of the kind that was taken
    assert after["a05"] > after["a08"]


def test_an_action_ends_with_its_expiry(bank: Bank) -> None:
    bank.datasets.put_action(
        "a03", kind="k3", value=3, creationTimestamp=NOW - 100 * DAY, expirationTimestamp=NOW - 1
    )
    assert "a03" not in bank.ids("u1")
    bank.datasets.put_action(
        "a03", kind="k3", value=3, creationTimestamp=NOW - 100 * DAY, expirationTimestamp=NOW + 999
    )
    assert "a03" in bank.ids("u1")


def test_an_action_is_not_repeated_for_so_many_days(bank: Bank) -> None:
    bank.datasets.put_action("a07", kind="k3", value=7, creationTimestamp=NOW - 100 * DAY, repeatFrequency=3)
    assert "a07" in bank.ids("patient")
    bank.do("patient", "a07", "Something else")
    assert "a07" in bank.ids("patient")
    bank.do("patient", "a07", "Viewed")
    assert "a07" not in bank.ids("patient")
    assert "a07" in bank.ids("another")
    # Imported events count as well: everybody met it 27 days ago or longer.
    bank.datasets.put_action("a07", kind="k3", value=7, creationTimestamp=NOW - 100 * DAY, repeatFrequency=40)
    assert any("a07" not in bank.ids(f"u{user}") for user in range(5))


def test_filters(bank: Bank) -> None:
    kind = bank.filter("by-kind", "INCLUDE ActionID WHERE Actions.KIND IN ($KIND)")
    assert {kind_of(one) for one in bank.ids("u1", filterArn=kind, filterValues={"KIND": '"k1","k2"'})} == {
        1,
        2,
    }
    fails("InvalidInputException", lambda: bank.ids("u1", filterArn=kind))
    value = bank.filter("by-value", "EXCLUDE ActionID WHERE Actions.VALUE < $VALUE")
    left = bank.ids("u1", filterArn=value, filterValues={"VALUE": "8"})
    assert sorted(left) == ["a08", "a09", "a10", "a11", "rare-dear"]
    taken = bank.filter("taken", 'EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("NOT_TAKEN")')
    assert "a10" in bank.ids("filtered", filterArn=taken)
    bank.do("filtered", "a10", "Not taken")
    assert "a10" not in bank.ids("filtered", filterArn=taken)
    of_age = bank.filter("of-age", "INCLUDE ActionID WHERE Actions.VALUE > 9 IF CurrentUser.AGE < 30")
    assert set(bank.ids("u5", filterArn=of_age)) == {"a10", "a11"}
    assert len(bank.ids("u15", filterArn=of_age)) > 2
    items_too = bank.filter(
        "items-too",
        'INCLUDE ActionID WHERE Actions.KIND IN ("k1")'
        ' | EXCLUDE ActionID WHERE Interactions.EVENT_TYPE IN ("click")',
    )
    assert {kind_of(one) for one in bank.ids("u1", filterArn=items_too)} == {1}


def test_new_actions_are_explored(bank: Bank, personalize: Any, wait: Wait) -> None:
    bank.datasets.put_action("new-and-liked", kind="k1", value=1, creationTimestamp=NOW)
    bank.datasets.put_action("new-of-old", kind="k1", value=1, creationTimestamp=NOW - 400 * DAY)
    assert not {"new-and-liked", "new-of-old"} & set(bank.ids("u1")), "it does not explore"
    campaign = personalize.create_campaign(
        name="exploring",
        solutionVersionArn=bank.version,
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "1"}},
    )["campaignArn"]
    wait.active(campaign)
    exploring = Bank(bank.datasets, bank.solution, bank.version, campaign, bank.tracker)
    ends = time.monotonic() + PATIENCE
    while "new-and-liked" not in dict(exploring.ask("u1", 5)):  # new actions join within a second
        assert time.monotonic() < ends
    answers = [exploring.ask("u1", 5) for _ in range(40)]
    explored = [answer for answer in answers if "new-and-liked" in dict(answer)]
    assert explored
    assert all(dict(answer)["new-and-liked"] == 0.0 for answer in explored)
    assert all(answer[-1][0] == "new-and-liked" for answer in explored)
    assert not any("new-of-old" in dict(answer) for answer in answers)
    personalize.delete_campaign(campaignArn=campaign)
    wait.gone(campaign)


def test_the_recipe_is_listed(personalize: Any) -> None:
    recipe = personalize.describe_recipe(recipeArn="arn:aws:personalize:::recipe/aws-next-best-action")[
        "recipe"
    ]
    assert recipe["recipeType"] == "PERSONALIZED_ACTIONS"
    transformed = personalize.describe_feature_transformation(
        featureTransformationArn=recipe["featureTransformationArn"]
    )["featureTransformation"]
    assert transformed["defaultParameters"] == {"action_optimization_period": "14"}


def test_a_training_without_actions_says_so(bank: Bank, personalize: Any, wait: Wait) -> None:
    group = personalize.create_dataset_group(name="no-actions")["datasetGroupArn"]
    wait.active(group)
    schema = personalize.create_schema(name="no-actions", schema=shop.SCHEMAS["Interactions"])["schemaArn"]
    personalize.create_dataset(name="i", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema)
    solution = personalize.create_solution(
        name="no-actions",
        datasetGroupArn=group,
        recipeArn="arn:aws:personalize:::recipe/aws-next-best-action",
        performAutoTraining=False,
    )["solutionArn"]
    message = fails("InvalidInputException", personalize.create_solution_version, solutionArn=solution)
    assert "ACTIONS" in message
