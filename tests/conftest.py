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
from typing import Any

# Before anything loads OpenMP: threads that wait would spin and take the cores from the other workers.
# Trainings of a server have it from their executor.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
from hypothesis import settings

import shop
from live import Clients, Server, Wait, make_clients, make_shop

pytest_plugins = ["openpersonalize.testing.plugin"]

_regions = itertools.count(1)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
