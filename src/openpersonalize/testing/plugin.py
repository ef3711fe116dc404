"""Fixtures for pytest: ``pytest_plugins = ["openpersonalize.testing.plugin"]`` in a conftest.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from .live import LiveCampaign, LiveServer, deployed


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for the session that trains on little data, too, with room for many campaigns."""
    more = ("--minimum-data", "off", "--quota-dataset-groups", "500")
    with LiveServer(tmp_path_factory.mktemp("live"), *more) as server:
        yield server


@pytest.fixture(scope="session")
def live_campaign(live_server: LiveServer) -> Callable[..., LiveCampaign]:
    """Deploys a recipe on data, see `live.deployed`: ``live_campaign("mine", two_clusters())``."""
    numbers = itertools.count(1)

    def made(*what: object, **more: object) -> LiveCampaign:
        deploy = partial(deployed, live_server, *what)  # type: ignore[arg-type]
        return deploy(**{"name": f"live-{next(numbers)}", **more})  # type: ignore[arg-type]

    return made
