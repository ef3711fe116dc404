"""The import workflow: what a crash at any moment leaves, and when a replaced snapshot goes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import shop
from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.workflows.imports import Import
from openpersonalize.workflows.retention import GRACE_SECONDS, RemoveSnapshot
from workflows.rehearsal import Rehearsal, moments
from workflows.snapshots import publish_snapshot

_keys = itertools.count(1)


class Shelf:
    """A dataset with an earlier snapshot and a waiting import job."""

    def __init__(self, installation: Installation, scope: Scope, number: int) -> None:
        self.installation, self.scope = installation, scope
        self.steps: list[dict[str, Any]] = []
        self.old = self._published()
        prefix = f"s{number}"
        with scope.write() as tx:
            schema = tx.add(
                "schema", scope.arn(f"schema/{prefix}"), prefix, attributes={"schema": shop.SCHEMAS["Items"]}
            )
            dataset = tx.add(
                "dataset",
                scope.arn(f"dataset/{prefix}/ITEMS"),
                "items",
                group_arn=scope.arn(f"dataset-group/{prefix}"),
                status="ACTIVE",
                attributes={"datasetType": "ITEMS", "schemaArn": schema.arn},
                internal={"snapshot": self.old},
            )
            job = tx.add(
                "dataset-import-job",
                scope.arn(f"dataset-import-job/{prefix}"),
                prefix,
                parent_arn=dataset.arn,
                status="CREATE PENDING",
                attributes={
                    "datasetArn": dataset.arn,
                    "dataSource": {"dataLocation": "s3://files/items.csv"},
                    "importMode": "INCREMENTAL",
                },
            )
        self.dataset, self.job = dataset.arn, job.arn

    def rehearse(self, die_at: int | None = None) -> Rehearsal:
        return Rehearsal(
            self.installation,
            self.scope,
            "import",
            self.job,
            payload={"position": 7},
            heavy=self._step,
            die_at=die_at,
        )

    def current(self) -> str:
        with self.scope.read() as tx:
            return str(tx.require(self.dataset).internal.snapshot)

    def status(self) -> str | None:
        with self.scope.read() as tx:
            return tx.require(self.job).status

    def _published(self) -> str:
        return publish_snapshot(self.installation.objects, f"snapshots/{next(_keys)}")

    def _step(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert step == "openpersonalize.workflows.import_step:run"
        self.steps.append(arguments)
        return {"snapshot": self._published(), "rows": 60, "total_rows": 60, "bytes": 1000}


@pytest.fixture
def shelves(installation: Installation, scope: Scope) -> Callable[[], Shelf]:
    numbers = itertools.count(1)
    return lambda: Shelf(installation, scope, next(numbers))


def test_the_step_is_told_what_to_read(shelves: Callable[[], Shelf]) -> None:
    shelf = shelves()
    Import().run(shelf.rehearse())
    [told] = shelf.steps
    assert told == {
        "dataset_type": "ITEMS",
        "schema": shop.SCHEMAS["Items"],
        "location": "s3://files/items.csv",
        "mode": "INCREMENTAL",
        "previous": shelf.old,
        "position": 7,
        "minimum_data": True,
        "others": {},
    }


def test_a_crash_at_any_moment_leaves_the_old_data_or_the_new(shelves: Callable[[], Shelf]) -> None:
    made: list[Shelf] = []

    def stage() -> Callable[..., Rehearsal]:
        made.append(shelves())
        return made[-1].rehearse

    for _ in moments(Import(), stage):
        shelf = made[-1]
        assert shelf.status() == "ACTIVE"
        assert shelf.current() != shelf.old
        assert shelf.installation.objects.exists(shelf.current())
        assert shelf.installation.objects.exists(shelf.old), "a reader may still hold it"
        assert all((told["previous"], told["position"]) == (shelf.old, 7) for told in shelf.steps)
    assert len(made) > 4


def test_a_failed_import_changes_nothing(scope: Scope, shelves: Callable[[], Shelf]) -> None:
    shelf = shelves()
    job = shelf.rehearse()
    objects = shelf.installation.objects
    objects.publish(objects.stage(), "snapshots/rehearsal")  # by an attempt that died before its commit
    with scope.write() as tx:
        Import().failed(job, tx, "Input CSV has no records.")
    assert not objects.exists("snapshots/rehearsal")
    with scope.read() as tx:
        row = tx.require(shelf.job)
    assert (row.status, row.attributes["failureReason"]) == ("CREATE FAILED", "Input CSV has no records.")
    assert shelf.current() == shelf.old


def test_the_replaced_snapshot_goes_after_the_grace(
    scope: Scope, shelves: Callable[[], Shelf], clock: Any
) -> None:
    shelf = shelves()
    Import().run(shelf.rehearse())
    with scope.read() as tx:
        removal = tx.job(shelf.old)
    assert removal is not None
    assert removal.kind == "remove-snapshot"
    assert removal.not_before == clock.now() + GRACE_SECONDS
    remove(shelf, shelf.old)
    assert not shelf.installation.objects.exists(shelf.old)
    assert shelf.installation.objects.exists(shelf.current())


def test_a_snapshot_in_use_stays(scope: Scope, shelves: Callable[[], Shelf]) -> None:
    shelf = shelves()
    remove(shelf, shelf.old)
    assert shelf.installation.objects.exists(shelf.old), "the dataset points at it"
    Import().run(shelf.rehearse())
    with scope.write() as tx:
        version = tx.add(
            "solution-version",
            scope.arn("solution/s/1"),
            "s/1",
            status="CREATE IN_PROGRESS",
            internal={"snapshots": {"ITEMS": shelf.old}},
        )
    remove(shelf, shelf.old)
    assert shelf.installation.objects.exists(shelf.old), "a training has pinned it"
    with scope.write() as tx:
        tx.update(version, status="ACTIVE")
    remove(shelf, shelf.old)
    assert not shelf.installation.objects.exists(shelf.old)


def remove(shelf: Shelf, key: str) -> None:
    job = Rehearsal(shelf.installation, shelf.scope, "remove-snapshot", key, payload={"key": key})
    RemoveSnapshot().run(job)
