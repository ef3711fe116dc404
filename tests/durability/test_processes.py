"""Several processes: workers that are killed, a second server on the folder, an end in the middle of work."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

import shop
from durability.world import STEP, WORKER, Crowd, World, call, children, insist, kill, processes, rounds
from live import PATIENCE
from openpersonalize.engine.report import job_report

CLIENTS = 4


class Visitors:
    """Clients that stream events and ask, alternately.

    Args:
        again: how a call is made: `insist` sends it again when its connection breaks, `call` leaves off.
    """

    def __init__(self, world: World, run: str, again: Callable[..., object] = insist) -> None:
        self.world = world
        self.run = run
        self.again = again
        self.acknowledged: dict[str, set[str]] = {f"{run}-{n}": set() for n in range(CLIENTS)}
        self.answered = 0

    def work(self, index: int, stop: threading.Event) -> None:
        user = f"{self.run}-{index}"
        while not stop.is_set():
            for item in shop.ITEMS:
                event = {
                    "eventType": "click",
                    "itemId": item,
                    "sentAt": int(time.time()),
                    "eventId": f"{user}-{item}",
                    "properties": "{}",
                }
                answer = self.again(
                    self.world.clients.events.put_events,
                    trackingId=self.world.tracking,
                    userId=user,
                    sessionId=user,
                    eventList=[event],
                )
                if answer is None:
                    return
                self.acknowledged[user].add(item)
                answer = self.again(
                    self.world.clients.runtime.get_recommendations,
                    campaignArn=self.world.campaign,
                    userId=user,
                    numResults=500,
                    filterArn=self.world.met,
                )
                if answer is None:
                    return
                shown = {entry["itemId"] for entry in dict(answer)["itemList"]}  # type: ignore[call-overload]
                assert shown == self.acknowledged[user], "the next answer shows what was acknowledged"
                self.answered += 1
                if stop.is_set():
                    return

    def answer_more_than(self, number: int, crowd: Crowd) -> bool:
        return self.answered > number or crowd.stop.is_set()

    def check(self) -> None:
        for user, items in self.acknowledged.items():
            assert items <= self.world.items_met(user)


def until(condition: Callable[[], bool], limit: float = 30) -> None:
    end = time.monotonic() + limit * PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_replaced(world: World, before: set[int], crowd: Crowd) -> bool:
    return len(set(children(world.server, WORKER)) - before) == 1 or crowd.stop.is_set()


@rounds
def test_a_worker_is_killed(two_workers: World, chance: random.Random, rounds: int) -> None:
    world = two_workers
    for number in range(rounds):
        visitors = Visitors(world, f"visitor-{number}-{chance.randrange(10**6)}")
        version = world.clients.personalize.create_solution_version(solutionArn=world.solution)
        with Crowd(CLIENTS, visitors.work) as crowd:
            time.sleep(chance.uniform(0.0, 1.5))
            before = children(world.server, WORKER)
            assert len(before) == 2
            kill(chance.choice(before))
            answered = visitors.answered
            until(partial(visitors.answer_more_than, answered + 2 * CLIENTS, crowd))
            until(partial(is_replaced, world, set(before), crowd))
        visitors.check()
        world.wait.active(version["solutionVersionArn"], 120)
    if rounds > 1 and chance.random() < 0.5:  # all of them; otherwise the supervisor alone
        for pid in children(world.server, WORKER):
            kill(pid)
    family = children(world.server, "python")
    world.server.kill()
    until(
        lambda: not set(family) & {p for p, (_, c) in processes().items() if re.search(f"{WORKER}|{STEP}", c)}
    )
    world.server.options = world.server.options[:-2]  # one process is enough to look
    world.server.start()
    visitors.check()


def test_a_second_server_on_the_folder(world: World) -> None:
    folder = ["--port", "0", "--data-dir", str(world.server.data)]
    done = subprocess.run(
        [sys.executable, "-m", "openpersonalize", "serve", "--workers", "2", *folder],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    [sentence] = done.stderr.strip().splitlines()
    assert "in use by another server" in sentence
    assert len(world.recommend("user-00")) == 50


@pytest.mark.skipif(os.name != "posix", reason="this system has no SIGTERM")
@rounds
def test_an_end_in_the_middle_of_work(world: World, chance: random.Random, rounds: int) -> None:
    personalize = world.clients.personalize
    personal = personalize.create_solution(
        name=f"personal-{chance.randrange(10**6)}",
        datasetGroupArn=world.stock.group,
        recipeArn="arn:aws:personalize:::recipe/aws-user-personalization",
    )["solutionArn"]
    for number in range(rounds):
        version = personalize.create_solution_version(solutionArn=personal)["solutionVersionArn"]
        visitors = Visitors(world, f"last-{number}-{chance.randrange(10**6)}", call)
        with Crowd(CLIENTS, visitors.work) as crowd:
            world.wait.until(version, lambda d: d["status"] != "CREATE PENDING")
            until(partial(visitors.answer_more_than, CLIENTS, crowd))
            time.sleep(chance.uniform(0.0, 0.5))
            process = world.server.process
            assert process is not None
            process.terminate()
            assert process.wait(60 * PATIENCE) == 0
        with world.opened() as installation:
            report = job_report(installation.metadata.scope("000000000000", "us-east-1"), version)
            assert report is not None
            assert report["state"] in ("queued", "done"), "no job is left claimed, none fails by an end"
        world.server.start()
        visitors.check()
        world.wait.active(version, 120)
    assert "Traceback" not in world.server.log.read_text()
