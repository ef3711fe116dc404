"""Requests that break the published shapes, to all 79 operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest

from live import Server

from . import faults
from .faults import Fault
from .world import SERVICE_OF


@pytest.mark.parametrize(
    ("make", "least"), [(faults.broken_types, 1900), (faults.broken_limits, 950)], ids=["types", "limits"]
)
def test_what_breaks_the_shape(
    server: Server, region: str, personalize: Any, make: Callable[[str], Iterator[Fault]], least: int
) -> None:
    """Nothing of it is looked for or made: a region without resources stays one."""
    assert faults.send(server, region, chain.from_iterable(map(make, SERVICE_OF))) >= least
    assert personalize.list_dataset_groups()["datasetGroups"] == []
    assert personalize.list_schemas()["schemas"] == []
