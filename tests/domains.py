"""A shop and a cinema as domain dataset groups, whose truth is known.

90 items in 3 departments of 30; 80 people, of whom number k belongs to department k mod 3 and keeps to it.
Things come in pairs, 2j and 2j + 1 of a department: who buys one buys the other. Everybody views 24 things of
the own department and buys seven pairs of them; the first pair of each department is bought by everybody. In
the cinema people click and watch in place of that. One zealot (person 0) views one thing again and again, and
another (person 1) buys one again and again: they move what counts events by a little, and not what counts
people.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import shop
from live import Server, Wait, make_clients

PEOPLE = [f"person-{k:02d}" for k in range(80)]
THINGS = [f"thing-{k:02d}" for k in range(90)]
DEPARTMENTS = ("books", "games", "music")
VIEWED_MOST, BOUGHT_MOST = "thing-33", "thing-34"
AGAIN = 120
"""How often a zealot does the same."""
WORDS = {"ECOMMERCE": ("View", "Purchase"), "VIDEO_ON_DEMAND": ("Click", "Watch")}
COLUMNS = {
    "ECOMMERCE": (
        shop.field("ITEM_ID"),
        shop.field("PRICE", "float"),
        shop.field("CATEGORY_L1", categorical=True),
        shop.field("CREATION_TIMESTAMP", ["long", "null"]),
    ),
    "VIDEO_ON_DEMAND": (
        shop.field("ITEM_ID"),
        shop.field("GENRES", categorical=True),
        shop.field("CREATION_TIMESTAMP", "long"),
    ),
}


def department(name: str) -> str:
    """Of a person or a thing, by its number."""
    return DEPARTMENTS[int(name[-2:]) % len(DEPARTMENTS)]


def partner(thing: str) -> str:
    """The other thing of its pair."""
    place = int(thing[-2:]) // 3
    return f"thing-{int(thing[-2:]) + (3 if place % 2 == 0 else -3):02d}"


@dataclass(frozen=True)
class Act:
    """One row of the interactions."""

    person: str
    thing: str
    time: int
    kind: str


def acts(domain: str) -> list[Act]:
    """What everybody did, about 3,100 rows."""
    looks, takes = WORDS[domain]
    chance = random.Random(5)
    rows = []
    for number, person in enumerate(PEOPLE):
        own = [thing for thing in THINGS if department(thing) == department(person)]
        pairs = [own[2 * j : 2 * j + 2] for j in range(15)]
        bought = [pairs[0], *chance.sample(pairs[1:], 6)]
        seen = [thing for pair in bought for thing in pair]
        seen += chance.sample([thing for thing in own if thing not in seen], 10)
        chance.shuffle(seen)
        time = shop.LAST - 86_400 * 20 - number * 11
        rows += [Act(person, thing, time + 60 * step, looks) for step, thing in enumerate(seen)]
        basket = [thing for pair in bought for thing in pair]
        rows += [Act(person, thing, time + 3600 + 60 * step, takes) for step, thing in enumerate(basket)]
    for person, thing, kind in (
        (PEOPLE[0], VIEWED_MOST, looks),
        (PEOPLE[1], BOUGHT_MOST, takes),
    ):
        rows += [Act(person, thing, shop.LAST - 86_400 * 15 + 60 * step, kind) for step in range(AGAIN)]
    return rows


def bought(domain: str, person: str) -> set[str]:
    """What somebody bought, or watched."""
    return {row.thing for row in acts(domain) if row.person == person and row.kind == WORDS[domain][1]}


NAMES = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE")


def interactions_schema() -> str:
    """Of both domains."""
    fields = [shop.field(one, "long" if one == "TIMESTAMP" else "string") for one in NAMES]
    return shop.schema("Interactions", *fields)


def _tables(domain: str) -> dict[str, tuple[str, str]]:
    """Schema and CSV text by dataset type."""
    interactions = [f"{one.person},{one.thing},{one.time},{one.kind}" for one in acts(domain)]
    created = {thing: shop.LAST - 86_400 * (40 + k) for k, thing in enumerate(THINGS)}
    if domain == "ECOMMERCE":
        items = [f"{one},{5 + k % 7}.5,{department(one)},{created[one]}" for k, one in enumerate(THINGS)]
    else:
        items = [f"{one},{department(one)},{created[one]}" for one in THINGS]
    columns = COLUMNS[domain]
    return {
        "Interactions": (interactions_schema(), "\n".join([",".join(NAMES), *interactions])),
        "Items": (
            shop.schema("Items", *columns),
            "\n".join([",".join(str(one["name"]) for one in columns), *items]),
        ),
    }


def make_domain(server: Server, region: str, domain: str, name: str, *kinds: str) -> str:
    """The ARN of a domain dataset group with these datasets (all), imported."""
    personalize: Any = make_clients(server.endpoint, region).personalize
    wait = Wait(personalize)
    group = personalize.create_dataset_group(name=name, domain=domain)["datasetGroupArn"]
    wait.active(group)
    jobs = []
    for kind, (text, rows) in _tables(domain).items():
        if kinds and kind not in kinds:
            continue
        schema = personalize.create_schema(name=f"{name}-{kind}", schema=text, domain=domain)["schemaArn"]
        dataset = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        location = server.put(f"s3://{name}-{region}/{kind}.csv", rows + "\n")
        jobs.append(
            personalize.create_dataset_import_job(
                jobName=f"{name}-{kind}", datasetArn=dataset, dataSource={"dataLocation": location}
            )["datasetImportJobArn"]
        )
    for job in jobs:
        wait.active(job)
    return str(group)
