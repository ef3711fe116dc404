"""Control calls to a server that is killed: each took effect wholly or not at all, acknowledged ones did."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

import shop
from durability.world import RECIPE, Crowd, World, call, kills, only, rounds
from openpersonalize.datasets.schemas import parse_schema

CLIENTS = 3


@dataclass
class Made:
    """A resource that was asked for.

    Attributes:
        expected: members that Describe must show.
        known: whether the creation was acknowledged.
        deleted: None: not asked for; True: acknowledged; False: asked for, with unknown outcome.
    """

    arn: str
    expected: dict[str, Any]
    tags: list[dict[str, str]]
    known: bool
    deleted: bool | None = None


@dataclass
class Clerk:
    """Creates and deletes schemas, filters, solutions and campaigns, by turns."""

    world: World
    run: str
    chance: random.Random
    made: list[Made] = field(default_factory=list)

    def work(self, index: int, stop: threading.Event) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            name = f"{self.run}-{index}-{turn}"
            kind = self.chance.choice(["schema", "filter", "solution", "campaign"])
            made = getattr(self, f"_{kind}")(name)
            self.made.append(made)
            if not made.known:
                time.sleep(0.05)
            elif self.chance.random() < 0.4:
                self._delete(kind, made)

    def _create(self, kind: str, name: str, expected: dict[str, Any], **request: Any) -> Made:
        tags = [{"tagKey": "of", "tagValue": name}]
        operation = getattr(self.world.clients.personalize, f"create_{kind}")
        if kind != "schema":
            request["tags"] = tags
        answer = call(operation, name=name, **request)
        arn = self.world.stock.group.rsplit(":", 1)[0] + f":{kind}/{name}"
        assert answer is None or arn in answer.values()
        return Made(arn, expected, tags if kind != "schema" else [], answer is not None)

    def _schema(self, name: str) -> Made:
        text = shop.schema("Users", shop.field("USER_ID"), shop.field(f"F{name.replace('-', '_')}"))
        return self._create("schema", name, {"schema": text}, schema=text)

    def _filter(self, name: str) -> Made:
        expression = f'EXCLUDE ItemID WHERE Items.DEPARTMENT IN ("{name}")'
        return self._create(
            "filter",
            name,
            {"filterExpression": expression},
            filterExpression=expression,
            datasetGroupArn=self.world.stock.group,
        )

    def _solution(self, name: str) -> Made:
        return self._create(
            "solution",
            name,
            {"recipeArn": f"{RECIPE}aws-popularity-count", "eventType": name, "status": "ACTIVE"},
            datasetGroupArn=self.world.stock.group,
            recipeArn=f"{RECIPE}aws-popularity-count",
            eventType=name,
        )

    def _campaign(self, name: str) -> Made:
        return self._create(
            "campaign",
            name,
            {"solutionVersionArn": self.world.version, "minProvisionedTPS": 7, "status": "ACTIVE"},
            solutionVersionArn=self.world.version,
            minProvisionedTPS=7,
        )

    def _delete(self, kind: str, made: Made) -> None:
        operation = getattr(self.world.clients.personalize, f"delete_{kind}")
        try:
            made.deleted = call(operation, **{f"{kind}Arn": made.arn}) is not None
        except ClientError as error:  # a campaign that is still being deployed
            only(error, "ResourceInUseException")


def check(world: World, made: Made) -> bool:
    """The resource is as its calls promised; whether it is there."""
    personalize = world.clients.personalize
    if made.deleted:
        world.wait.gone(made.arn)
        return False
    try:
        described = world.wait.describe(made.arn)
    except ClientError as error:
        only(error, "ResourceNotFoundException")
        assert not made.known or made.deleted is False, f"{made.arn} was acknowledged and is gone"
        return False
    if made.deleted is False and described.get("status", "").startswith("DELETE"):
        world.wait.gone(made.arn)
        return False
    if "status" in described:
        described = world.wait.final(made.arn)
    assert {name: described[name] for name in made.expected} == made.expected
    if made.tags:
        assert personalize.list_tags_for_resource(resourceArn=made.arn)["tags"] == made.tags
    return True


def listed(world: World, operation: str, member: str, arn: str) -> set[str]:
    pages = world.clients.personalize.get_paginator(operation).paginate()
    return {entry[arn] for page in pages for entry in page[member]}


@rounds
def test_a_storm_of_control_calls(world: World, chance: random.Random, rounds: int) -> None:
    there: set[str] = set()
    ever: set[str] = set()
    for number in range(rounds):
        clerk = Clerk(world, f"s{number}-{chance.randrange(10**6)}", chance)
        with Crowd(CLIENTS, clerk.work) as crowd:
            for _ in kills(chance, rounds):
                time.sleep(chance.uniform(0.1, 0.7))
                assert not crowd.stop.is_set()
                world.restart()
            time.sleep(chance.uniform(0.0, 0.5))
            world.server.kill()
            crowd.stop.set()
            world.server.start()
        assert len(clerk.made) > 5
        for made in clerk.made:
            ever.add(made.arn)
            if check(world, made):
                there.add(made.arn)
        for made in clerk.made:  # leave room, and let deletions be cut off by the next round's kills
            if made.arn in there and ":campaign/" in made.arn:
                world.clients.personalize.delete_campaign(campaignArn=made.arn)
                there.discard(made.arn)
                made.deleted = True
        if chance.random() < 0.5:
            world.restart()
        for made in clerk.made:
            check(world, made)
    all_listed = (
        listed(world, "list_schemas", "schemas", "schemaArn")
        | listed(world, "list_filters", "Filters", "filterArn")
        | listed(world, "list_solutions", "solutions", "solutionArn")
        | listed(world, "list_campaigns", "campaigns", "campaignArn")
    )
    assert all_listed & ever == there


@rounds
def test_deletions_are_cut_off(world: World, chance: random.Random, rounds: int) -> None:
    """A group with everything in it is taken apart while the server is killed again and again."""
    personalize = world.clients.personalize
    for _ in range(rounds):
        name = f"g{chance.randrange(10**9)}"
        group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
        world.wait.active(group)
        schema = personalize.create_schema(name=name, schema=shop.SCHEMAS["Interactions"])["schemaArn"]
        dataset = personalize.create_dataset(
            name=name, datasetGroupArn=group, datasetType="Interactions", schemaArn=schema
        )["datasetArn"]
        job = personalize.create_dataset_import_job(
            jobName=name,
            datasetArn=dataset,
            dataSource={"dataLocation": world.server.put(f"s3://{name}/a.csv", shop.csv("Interactions"))},
        )["datasetImportJobArn"]
        world.wait.active(job)
        tracker = personalize.create_event_tracker(name=name, datasetGroupArn=group)
        event = {"eventType": "click", "itemId": "a", "sentAt": 1_700_000_000, "properties": json.dumps({})}
        world.clients.events.put_events(
            trackingId=tracker["trackingId"], sessionId="s", userId="u", eventList=[event]
        )
        solution = personalize.create_solution(
            name=name, datasetGroupArn=group, recipeArn=f"{RECIPE}aws-popularity-count"
        )["solutionArn"]
        version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        world.wait.active(version)
        for kind, arn in (
            ("solution", solution),
            ("event_tracker", tracker["eventTrackerArn"]),
            ("dataset", dataset),
            ("dataset_group", group),
        ):
            getattr(personalize, f"delete_{kind}")(**{f"{_member(kind)}Arn": arn})
            if chance.random() < 0.4:
                time.sleep(chance.uniform(0.0, 0.1))
                world.restart()
            world.wait.gone(arn)
        personalize.delete_schema(schemaArn=schema)
    with world.opened() as installation:
        assert len(list((world.server.data / "artifacts").iterdir())) == 1
        assert installation.log.interactions_frame(
            dataset, parse_schema(shop.SCHEMAS["Interactions"])
        ).is_empty()


def _member(kind: str) -> str:
    first, *rest = kind.split("_")
    return first + "".join(word.capitalize() for word in rest)
