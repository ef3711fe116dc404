"""A small shop with a campaign, its server, and clients that live through the server's death."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

import shop
from live import PATIENCE, Clients, Server, Wait, make_clients, make_shop
from openpersonalize.installation import Installation
from openpersonalize.settings import Settings, read_settings

SOAK_ROUNDS = int(os.environ.get("SOAK_ROUNDS", "40"))
"""How often the tests marked `soak` do what the others do once."""

rounds = pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="once"), pytest.param(SOAK_ROUNDS, id="soak", marks=pytest.mark.soak)]
)
REGION = "us-east-1"
RECIPE = "arn:aws:personalize:::recipe/"
MET = 'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
OPTIONS = tuple(
    word
    for quota in ("solutions", "solution-versions", "campaigns", "filters", "filter-fields")
    for word in (f"--quota-{quota}", "100000")
)
GONE = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
)
"""What a client sees of a server that dies: nothing is known of the call then."""


@dataclass
class World:
    """A running server with the small shop, a popularity campaign, a filter and a tracker.

    Attributes:
        campaign: of a popularity-count version, metadata enabled.
        met: a filter that keeps the items a user met.
        tracking: the tracking id.
    """

    server: Server
    stock: shop.SmallShop
    solution: str
    version: str
    campaign: str
    met: str
    tracking: str
    clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.clients = make_clients(self.server.endpoint, REGION)

    @property
    def wait(self) -> Wait:
        return Wait(self.clients.personalize)

    def restart(self) -> None:
        """Kill the server and start it again on the same folder."""
        self.server.kill()
        self.server.start()

    def recommend(self, user: str, count: int = 50, **more: Any) -> list[dict[str, Any]]:
        answer = self.clients.runtime.get_recommendations(
            campaignArn=self.campaign, userId=user, numResults=count, **more
        )
        return list(answer["itemList"])

    def items_met(self, user: str) -> set[str]:
        """The items of the campaign that the user met, imported or streamed, in one answer."""
        return {entry["itemId"] for entry in self.recommend(user, 500, filterArn=self.met)}

    @contextmanager
    def opened(self) -> Iterator[Installation]:
        """Its stores, while the server is down."""
        self.server.stop()
        installation = Installation.open(self.settings())
        try:
            yield installation
        finally:
            installation.close()

    def settings(self) -> Settings:
        return read_settings({"data_dir": str(self.server.data)}, {})


def build(folder: Path) -> World:
    """The world, everything ACTIVE and running."""
    server = Server(folder, OPTIONS).start()
    stock = make_shop(server, REGION)
    personalize = make_clients(server.endpoint, REGION).personalize
    wait = Wait(personalize)
    solution = personalize.create_solution(
        name="popular", datasetGroupArn=stock.group, recipeArn=f"{RECIPE}aws-popularity-count"
    )["solutionArn"]
    version = personalize.create_solution_version(name="first", solutionArn=solution)["solutionVersionArn"]
    met = personalize.create_filter(name="met", datasetGroupArn=stock.group, filterExpression=MET)
    tracker = personalize.create_event_tracker(name="tracker", datasetGroupArn=stock.group)
    wait.active(version)
    campaign = personalize.create_campaign(
        name="popular",
        solutionVersionArn=version,
        campaignConfig={"enableMetadataWithRecommendations": True},
    )["campaignArn"]
    wait.active(campaign)
    return World(server, stock, solution, version, campaign, met["filterArn"], tracker["trackingId"])


def copy_of(world: World, folder: Path, *options: str) -> World:
    """The same world in a folder and a server of its own; the first one's server must be down."""
    shutil.copytree(world.server.data, folder)
    server = Server(folder, (*OPTIONS, *options)).start()
    return World(
        server, world.stock, world.solution, world.version, world.campaign, world.met, world.tracking
    )


def call(operation: Callable[..., Any], **request: Any) -> Any:
    """Call once; None when nothing is known of the outcome, because the server died or is going down."""
    try:
        return operation(**request)
    except GONE:
        return None
    except ClientError as error:
        if error.response["Error"]["Code"] == "ServiceUnavailable":
            return None
        raise


def only(error: ClientError, *codes: str) -> None:
    """Raise the error unless it is one of those that may come."""
    if error.response["Error"]["Code"] not in codes:
        raise error


def insist(operation: Callable[..., Any], limit: float = 60, **request: Any) -> Any:
    """Call until it is answered, as an SDK with patience does."""
    end = time.monotonic() + limit * PATIENCE
    while (answer := call(operation, **request)) is None:
        assert time.monotonic() < end, "the server does not come back"
        time.sleep(0.02)
    return answer


class Crowd:
    """Threads that do the same until told to stop; their first error is raised when they are."""

    def __init__(self, number: int, work: Callable[[int, threading.Event], None]) -> None:
        self.stop = threading.Event()
        self._errors: list[BaseException] = []

        def run(index: int) -> None:
            try:
                work(index, self.stop)
            except BaseException as error:
                self._errors.append(error)
                self.stop.set()

        self._threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(number)]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client hangs"
        if self._errors:
            raise self._errors[0]


def processes() -> dict[int, tuple[int, str]]:
    """The machine's processes: id -> (id of the parent, name and command line). Skips where they cannot be
    listed."""
    try:
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,comm=,args="], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system has no ps that lists processes with their parents")
    found = {}
    for line in listed.splitlines():
        pid, parent, *command = line.split(None, 2)
        found[int(pid)] = (int(parent), " ".join(command))
    return found


def children(server: Server, holding: str) -> list[int]:
    """The server's descendants whose name or command line holds a pattern."""
    assert server.process is not None
    all_of_them = processes()
    family = {server.process.pid}
    while more := {pid for pid, (parent, _) in all_of_them.items() if parent in family} - family:
        family |= more
    return sorted(pid for pid in family - {server.process.pid} if re.search(holding, all_of_them[pid][1]))


STEP = r"heavy-step|openpersonalize\.engine\.child"
WORKER = "spawn_main"


def kill(pid: int) -> bool:
    """kill -9; False when it has ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kills(chance: random.Random, rounds: int) -> range:
    """One kill where there is one round, otherwise sometimes two in quick succession."""
    return range(1 if rounds == 1 else chance.choice([1, 2]))


def seed() -> int:
    return int(os.environ.get("DURABILITY_SEED") or random.SystemRandom().randrange(10**6))
