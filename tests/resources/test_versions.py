"""Which version is the newest, and where the automatic updates of a version end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.resources.versions import newest_full_version, updates_until
from openpersonalize.settings import read_settings


@pytest.fixture
def scope(tmp_path: Path) -> Iterator[Scope]:
    installation = Installation.open(read_settings({"data_dir": str(tmp_path)}, {}))
    scope = installation.metadata.scope("000000000000", "us-east-1")
    with scope.write() as tx:
        tx.add("solution", scope.arn("solution/s"), "s", status="ACTIVE")
    yield scope
    installation.close()


def add(scope: Scope, name: str, position: int, mode: str = "FULL", status: str = "ACTIVE") -> str:
    arn = scope.arn(f"solution/s/{name}")
    with scope.write() as tx:
        tx.add(
            "solution-version",
            arn,
            name,
            parent_arn=scope.arn("solution/s"),
            status="CREATE PENDING",
            attributes={"trainingMode": mode},
            internal={"position": position},
        )
        tx.update(arn, status="CREATE IN_PROGRESS")
        if status != "CREATE IN_PROGRESS":
            tx.update(arn, status=status)
    return arn


def until(scope: Scope, arn: str) -> int | None:
    with scope.read() as tx:
        return updates_until(tx, tx.require(arn, "solution-version"))


def test_updates_go_on_for_the_newest_full_version_and_end_where_a_newer_one_began(scope: Scope) -> None:
    first = add(scope, "a", 10)
    assert until(scope, first) is None
    add(scope, "b", 20, status="CREATE IN_PROGRESS")
    add(scope, "c", 30, status="CREATE FAILED")
    update = add(scope, "d", 40, mode="UPDATE")
    assert until(scope, first) is None
    assert until(scope, update) == 40
    second, third = add(scope, "e", 50), add(scope, "f", 60)
    assert [until(scope, one) for one in (first, second, third)] == [50, 60, None]
    with scope.read() as tx:
        newest = newest_full_version(tx, scope.arn("solution/s"))
        assert newest is not None
        assert newest.arn == third
