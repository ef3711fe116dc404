"""An installation of a test's own, its clock in the test's hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.settings import read_settings


class Hands:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def installation(tmp_path: Path, clock: Hands) -> Iterator[Installation]:
    opened = Installation.open(
        read_settings({"data_dir": str(tmp_path / "data"), "training_seed": 7}, {}), clock
    )
    yield opened
    opened.close()


@pytest.fixture
def scope(installation: Installation) -> Scope:
    return installation.metadata.scope("000000000000", "us-east-1")
