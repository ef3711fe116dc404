"""One world, built once, and a copy of it with a running server for each module."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from durability.world import World, build, copy_of, seed


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world whose server is down."""
    made = build(tmp_path_factory.mktemp("template") / "data")
    made.server.stop()
    return made


@pytest.fixture(scope="module")
def world_of_module(template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A copy of the world for one module, running."""
    copied = copy_of(template, tmp_path_factory.mktemp("world") / "data")
    yield copied
    copied.server.stop()


@pytest.fixture
def world(world_of_module: World) -> World:
    """The module's world; its server runs, whatever the test before left."""
    if world_of_module.server.process is None:
        world_of_module.server.start()
    return world_of_module


@pytest.fixture
def two_workers(template: World, tmp_path: Path) -> Iterator[World]:
    """A world with two server processes, of the test's own."""
    copied = copy_of(template, tmp_path / "data", "--workers", "2")
    yield copied
    copied.server.stop()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random moments; a failure prints how to have the same again. Of one seed each test has its own: tests
    that share a world must not make the same names."""
    number = seed()
    print(f"DURABILITY_SEED={number}")
    return random.Random(f"{number} {request.node.name}")
