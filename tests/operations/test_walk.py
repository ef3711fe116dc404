"""A walk through all 79 operations over one small world; bad requests about what is in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live import Server
from openpersonalize.access.roles import ALLOWED
from openpersonalize.operations.registry import OPERATIONS

from . import faults
from .faults import Fault
from .world import SERVICE_OF, World

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference.md"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """On a server of its own, so that nobody else writes into its log."""
    folder = tmp_path_factory.mktemp("walk")
    server = Server(folder / "data", ("--minimum-data", "off", "--training-seconds", "1")).start()
    yield World(server, "eu-walk-1")
    server.stop()


def check(world: World, sent: Iterable[Fault], least: int) -> None:
    """Send bad requests: the right errors, and everything is as it was."""
    before = world.state()
    assert faults.send(world.server, world.region, sent) >= least
    assert world.state() == before


def good(world: World) -> dict[str, dict[str, Any]]:
    """A request of each operation that was right when it was sent, or will be."""
    return {**world.changes(), **world.requests}


def test_every_operation_is_everywhere(world: World) -> None:
    walked = {*world.called, *world.changes()}
    assert len(SERVICE_OF) == 79
    assert walked == SERVICE_OF.keys()
    assert OPERATIONS.keys() == SERVICE_OF.keys()
    assert {name for name in ALLOWED if ":" not in name} == SERVICE_OF.keys()
    (line,) = (line for line in REFERENCE.read_text().splitlines() if line.startswith("All 79: "))
    assert line.removeprefix("All 79: ").rstrip(".").split(", ") == sorted(SERVICE_OF)


def test_arns_of_nothing_here(world: World) -> None:
    made = [faults.arns_of_others(name, world, request) for name, request in good(world).items()]
    check(world, itertools.chain.from_iterable(made), 250)


def test_odd_strings(world: World) -> None:
    requests = good(world)
    del requests["UpdateMetricAttribution"]  # whose metrics may count events of any name
    made = [faults.odd_strings(name, request) for name, request in requests.items()]
    check(world, itertools.chain.from_iterable(made), 800)


def test_unknown_members(world: World) -> None:
    """They change nothing: what was made is there already, what only reads answers."""
    made = [faults.unknown_members(name, request) for name, request in world.requests.items()]
    check(world, itertools.chain.from_iterable(made), 50)


def test_the_walk_ends(world: World) -> None:
    """What changes and deletes, in the order in which a user tidies up; nothing is left behind."""
    for operation, request in world.changes().items():
        if operation.startswith("Delete"):
            world.delete_all(operation)
        else:
            world.call(operation, **request)
            for arn in request.values():
                if isinstance(arn, str) and ":personalize:" in arn:
                    world.settled(arn)
    assert world.called.keys() == SERVICE_OF.keys()
    assert not any(word in world.server.log.read_text() for word in faults.TROUBLE)
