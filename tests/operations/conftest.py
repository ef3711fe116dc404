"""Resources that tests of single operations begin with, each in the module's own region."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import shop
from live import Wait

_numbers = itertools.count(1)
RECIPE = "arn:aws:personalize:::recipe/"


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"name-{next(_numbers)}"


@pytest.fixture(scope="module")
def group(personalize: Any, wait: Wait) -> str:
    """An ACTIVE custom dataset group."""
    arn = personalize.create_dataset_group(name=f"group-{next(_numbers)}")["datasetGroupArn"]
    wait.active(arn)
    return str(arn)


@pytest.fixture(scope="module")
def make_schema(personalize: Any) -> Callable[..., str]:
    """Creates a schema from its text (default: the small shop's Interactions) and returns the ARN."""

    def make(text: str = shop.SCHEMAS["Interactions"], **more: str) -> str:
        made = personalize.create_schema(name=f"schema-{next(_numbers)}", schema=text, **more)
        return str(made["schemaArn"])

    return make


@pytest.fixture(scope="module")
def make_dataset(personalize: Any, make_schema: Callable[..., str]) -> Callable[..., str]:
    """Creates the dataset of a type in a group with the small shop's schema and returns the ARN."""

    def make(group: str, kind: str) -> str:
        made = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=make_schema(shop.SCHEMAS[kind])
        )
        return str(made["datasetArn"])

    return make
