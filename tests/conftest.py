"""Fixtures around a live server.

``server`` is one process for the whole session with a data folder of its own. ``region`` is a fresh region
per test module: modules cannot meet each other's resources or quotas. ``clients`` are boto3 clients for that
region; an answer that breaks the published model fails the test that caused it. ``wait`` polls Describe.
``small_shop`` is a tiny dataset group with known structure (see `shop`), imported once a session.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before anything loads OpenMP: threads that wait would spin and take the cores from the other workers.
# Trainings of a server have it from their executor.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
from hypothesis import settings

import shop
from live import Clients, Server, Wait, make_clients, make_shop
from longest import LONG

pytest_plugins = ["openpersonalize.testing.plugin"]

_regions = itertools.count(1)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two more than there are cores: much of a test is waiting for a server."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, where several workers share the work."""
    if hasattr(config, "workerinput"):
        place = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
        items.sort(key=lambda item: place.get(item.path, len(LONG)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes do not name a test: packed ones differ by the second, and workers must collect the same names."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data").start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def region() -> str:
    """A region that no other module uses."""
    return f"test-region-{next(_regions)}"


@pytest.fixture(scope="module")
def clients(server: Server, region: str) -> Clients:
    return make_clients(server.endpoint, region)


@pytest.fixture(scope="module")
def personalize(clients: Clients) -> Any:
    return clients.personalize


@pytest.fixture(scope="module")
def wait(clients: Clients) -> Wait:
    return Wait(clients.personalize)


@pytest.fixture(scope="session")
def small_shop(server: Server) -> shop.SmallShop:
    """The small shop, imported once a session in region ``shop-region-1``; read it, do not change it."""
    return make_shop(server, "shop-region-1")
