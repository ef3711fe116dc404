"""Streamed writes to a server that is killed: what was acknowledged is there, once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import shop
from durability.world import Crowd, World, call, insist, kills, rounds
from live import Clients
from openpersonalize.datasets.schemas import parse_schema

CLIENTS = 4


@dataclass
class Diary:
    """What one client sent, and what of it was acknowledged.

    Attributes:
        events: (user, item) acknowledged; `doubtful`: sent, with an unknown outcome.
        retried: the eventIds sent a second time, with another timestamp.
        records: id -> number of its newest acknowledged version; `attempted`: of the newest one sent.
    """

    events: set[tuple[str, str]] = field(default_factory=set)
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    records: dict[str, int] = field(default_factory=dict)
    attempted: dict[str, int] = field(default_factory=dict)


def visits(index: int, run: str) -> Iterator[tuple[str, list[str], str]]:
    """User after user meets all items, two a call: (user, items, event id prefix). No visit comes twice."""
    number = 0
    while True:
        user = f"client-{run}-{index}-{number}"
        for start in range(0, len(shop.ITEMS), 2):
            yield user, shop.ITEMS[start : start + 2], f"{user}-{start}"
        number += 1


def events_of(user: str, items: list[str], prefix: str, at: int) -> dict[str, Any]:
    return {
        "userId": user,
        "sessionId": f"session-{user}",
        "eventList": [
            {
                "eventId": f"{prefix}-{item}",
                "eventType": "click",
                "itemId": item,
                "sentAt": at,
                "properties": json.dumps({"itemId": item}),
            }
            for item in items
        ],
    }


class Writers:
    """Clients that stream events and records, each its own ones, and keep diaries."""

    def __init__(self, world: World, run: str) -> None:
        self.world = world
        self.run = run
        self.diaries = [Diary() for _ in range(CLIENTS)]

    def work(self, index: int, stop: threading.Event) -> None:
        clients, diary = self.world.clients, self.diaries[index]
        at = int(time.time()) - 3600
        for turn, (user, items, prefix) in enumerate(visits(index, self.run)):
            if stop.is_set():
                return
            pairs = {(user, item) for item in items}
            request = events_of(user, items, prefix, at)
            put = clients.events.put_events
            if call(put, trackingId=self.world.tracking, **request) is not None:
                diary.events |= pairs
            elif turn % 2:
                diary.doubtful |= pairs
                time.sleep(0.05)
            else:
                diary.retried |= {event["eventId"] for event in request["eventList"]}
                again = events_of(user, items, prefix, at + 1)
                insist(put, trackingId=self.world.tracking, **again)
                diary.events |= pairs
            self._put_item(clients, diary, shop.ITEMS[index + CLIENTS * (turn % 15)])
            self._put_user(clients, diary, f"put-{self.run}-{index}-{turn % 5}")

    def _put_item(self, clients: Clients, diary: Diary, item: str) -> None:
        number = diary.attempted.get(item, 0) + 1
        properties = {"department": "books", "price": 5, "colour": str(number), "creationTimestamp": 10**9}
        diary.attempted[item] = number
        record = {"itemId": item, "properties": json.dumps(properties)}
        dataset = self.world.stock.datasets["Items"]
        if call(clients.events.put_items, datasetArn=dataset, items=[record]) is not None:
            diary.records[item] = number

    def _put_user(self, clients: Clients, diary: Diary, user: str) -> None:
        number = diary.attempted.get(user, 0) + 1
        properties = {"age": 30, "city": str(number)}
        diary.attempted[user] = number
        record = {"userId": user, "properties": json.dumps(properties)}
        dataset = self.world.stock.datasets["Users"]
        if call(clients.events.put_users, datasetArn=dataset, users=[record]) is not None:
            diary.records[user] = number


@pytest.fixture(scope="module")
def cities(world_of_module: World) -> str:
    """A filter that keeps nothing for a user in the city that its parameter names."""
    made = world_of_module.clients.personalize.create_filter(
        name="cities",
        datasetGroupArn=world_of_module.stock.group,
        filterExpression='INCLUDE ItemID WHERE Items.DEPARTMENT IN ("none") IF CurrentUser.CITY = $CITY',
    )
    return str(made["filterArn"])


def check_visible(world: World, cities: str, diary: Diary) -> None:
    """Answers show every acknowledged write, and nothing that was never sent."""
    for user in sorted({user for user, _ in diary.events | diary.doubtful}):
        met = world.items_met(user)
        certain = {item for who, item in diary.events if who == user}
        possible = certain | {item for who, item in diary.doubtful if who == user}
        assert certain <= met <= possible, (user, certain - met, met - possible)
    shown = {
        entry["itemId"]: entry["metadata"].get("COLOUR")
        for entry in world.recommend("user-00", 50, metadataColumns={"ITEMS": ["COLOUR"]})
    }
    for name, newest in diary.attempted.items():
        possible_numbers = range(diary.records.get(name, 0), newest + 1)
        if name in shown:
            assert shown[name] in {str(n) for n in possible_numbers} or 0 in possible_numbers, name
        elif name.startswith("put-"):
            hidden = [
                n
                for n in possible_numbers
                if not world.recommend(name, 1, filterArn=cities, filterValues={"CITY": f'"{n}"'})
            ]
            assert len(hidden) == 1 or (not hidden and 0 in possible_numbers), (name, hidden)


def check_counted_once(world: World, diaries: list[Diary]) -> None:
    """Of each event one counts, however often it was sent."""
    with world.opened() as installation:
        schema = parse_schema(shop.SCHEMAS["Interactions"])
        frame = installation.log.interactions_frame(world.stock.datasets["Interactions"], schema)
        counting = frame.filter(~frame["#DUPLICATE"])
        counts = Counter(zip(counting["USER_ID"], counting["ITEM_ID"], strict=True))
        assert set(counts.values()) <= {1}
        acknowledged = set().union(*(diary.events for diary in diaries))
        doubtful = set().union(*(diary.doubtful for diary in diaries))
        assert acknowledged <= set(counts) <= acknowledged | doubtful


@rounds
def test_writes_to_a_server_that_is_killed(
    world: World, cities: str, chance: random.Random, rounds: int
) -> None:
    everybody: list[Diary] = world.__dict__.setdefault("diaries", [])
    for _ in range(rounds):
        writers = Writers(world, f"{chance.randrange(10**9)}")
        with Crowd(CLIENTS, writers.work) as crowd:
            for _ in kills(chance, rounds):
                time.sleep(chance.uniform(0.2, 1.5))
                assert not crowd.stop.is_set()
                world.restart()
            time.sleep(chance.uniform(0.0, 0.5))
            world.server.kill()
            crowd.stop.set()
            world.server.start()
        for diary in writers.diaries:
            assert len(diary.events) > 10
            check_visible(world, cities, diary)
        everybody += writers.diaries
    check_counted_once(world, everybody)
