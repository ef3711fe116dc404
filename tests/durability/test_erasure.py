"""Removals of people by servers that are killed: nothing of the person stays, and everybody else does."""

from __future__ import annotations

import random
import time

from durability.world import STEP, World, children, kill, kills, rounds
from leftovers import places_of
from live import PATIENCE

ROLE = "arn:aws:iam::000000000000:role/any"


@rounds
def test_the_server_is_killed_while_it_removes_a_person(
    world: World, chance: random.Random, rounds: int
) -> None:
    personalize = world.clients.personalize
    for number in range(rounds):
        person, stays, name = (f"{word}-{chance.randrange(10**9)}" for word in ("person", "stays", "job"))
        rows = f"USER_ID,AGE,CITY\n{person},1,x\n{stays},2,y\n"
        location = world.server.put(f"s3://people/{name}.csv", rows)
        job = personalize.create_dataset_import_job(
            jobName=name,
            datasetArn=world.stock.datasets["Users"],
            dataSource={"dataLocation": location},
            importMode="INCREMENTAL",
        )["datasetImportJobArn"]
        world.wait.active(job)
        for user in (person, stays):
            event = {"eventType": "click", "itemId": f"item-{number % 10:02}", "sentAt": time.time()}
            world.clients.events.put_events(
                trackingId=world.tracking, sessionId=f"of-{user}", userId=user, eventList=[event]
            )
        assert world.items_met(person)
        whom = world.server.put(f"s3://people/gone-{name}.csv", f"USER_ID\n{person}\n")
        arn = personalize.create_data_deletion_job(
            jobName=name,
            datasetGroupArn=world.stock.group,
            dataSource={"dataLocation": whom},
            roleArn=ROLE,
        )["dataDeletionJobArn"]
        for _ in kills(chance, rounds):
            killed_at_work(world, chance, arn)
        done = world.wait.until(arn, lambda found: found["status"] in ("COMPLETED", "FAILED"), 120)
        assert (done["status"], done["numDeleted"]) == ("COMPLETED", 2)
        assert places_of(person, world.server.data) == []
        assert world.items_met(person) == set()
        assert world.items_met(stays)


def killed_at_work(world: World, chance: random.Random, arn: str) -> None:
    """Kill the server or its step at any moment of a step, if there is still one."""
    end = time.monotonic() + 20 * PATIENCE
    while not (steps := children(world.server, STEP)):
        if world.wait.describe(arn)["status"] == "COMPLETED" or time.monotonic() > end:
            return
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 1.2))
    if chance.random() < 0.5:
        world.restart()
    else:
        [kill(pid) for pid in steps]
