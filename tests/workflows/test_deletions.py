"""Deletions: what belongs to a resource is gone with it, whatever crashed on the way."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

import shop
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.errors import JobPostponed
from openpersonalize.events.entries import Event, Record
from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.storage.keys import parts_key
from openpersonalize.workflows.deletions import (
    RETRY_SECONDS,
    DatasetDeletion,
    DatasetGroupDeletion,
    Deletion,
    SolutionDeletion,
)
from workflows.rehearsal import Rehearsal, moments
from workflows.snapshots import publish_snapshot

_numbers = itertools.count(1)


def publish(installation: Installation, key: str) -> str:
    installation.objects.publish(installation.objects.stage(), key)
    return key


def test_dataset_goes_with_its_data(installation: Installation, scope: Scope) -> None:
    staged: list[tuple[str, str]] = []

    def stage() -> Callable[..., Rehearsal]:
        number = next(_numbers)
        arn = scope.arn(f"dataset/g{number}/USERS")
        key = publish_snapshot(installation.objects, f"snapshots/{number}")
        with scope.write() as tx:
            tx.add("dataset", arn, "users", status="ACTIVE", internal={"snapshot": key})
            tx.update(arn, status="DELETE PENDING")
        installation.log.append(arn, [Record("u1", '{"AGE": 7, "CITY": "Oslo"}')]).result(10)
        staged.append((arn, key))
        return lambda die_at=None: Rehearsal(installation, scope, "delete-dataset", arn, die_at=die_at)

    schema = parse_schema(shop.SCHEMAS["Users"])
    for _ in moments(DatasetDeletion(), stage):
        arn, key = staged[-1]
        with scope.read() as tx:
            assert tx.get(arn) is None
        assert not installation.objects.exists(key)
        assert not installation.objects.exists(parts_key(key))
        assert installation.log.records_frame(arn, schema).height == 0
    assert len(staged) > 3


def test_another_datasets_data_stays(installation: Installation, scope: Scope) -> None:
    gone, stays = scope.arn("dataset/a/INTERACTIONS"), scope.arn("dataset/b/INTERACTIONS")
    for arn in (gone, stays):
        installation.log.append(arn, [Event("u1", "s1", "item-01", 1_789_999_000, "click")]).result(10)
    with scope.write() as tx:
        tx.add("dataset", gone, "a", status="DELETE PENDING")
    DatasetDeletion().run(Rehearsal(installation, scope, "delete-dataset", gone))
    schema = parse_schema(shop.SCHEMAS["Interactions"])
    assert installation.log.interactions_frame(gone, schema).height == 0
    assert installation.log.interactions_frame(stays, schema).height == 1


def test_the_jobs_of_a_dataset_are_no_jobs_of_the_next_of_its_name(
    installation: Installation, scope: Scope
) -> None:
    arn, job = scope.arn("dataset/a/USERS"), scope.arn("dataset-import-job/one")
    with scope.write() as tx:
        tx.add("dataset", arn, "a", status="DELETE PENDING")
        tx.add("dataset-import-job", job, "one", parent_arn=arn, status="ACTIVE")
    DatasetDeletion().run(Rehearsal(installation, scope, "delete-dataset", arn))
    with scope.read() as tx:
        assert tx.require(job).status == "ACTIVE"
        assert tx.page("dataset-import-job", parent_arn=arn) == []


def test_a_solution_and_a_group_wait_for_what_they_hold(installation: Installation, scope: Scope) -> None:
    group, solution = scope.arn("dataset-group/g"), scope.arn("solution/s")
    campaign = scope.arn("campaign/c")
    with scope.write() as tx:
        tx.add("dataset-group", group, "g", status="DELETE PENDING")
        tx.add("solution", solution, "s", group_arn=group, status="DELETE PENDING")
        tx.add("campaign", campaign, "c", group_arn=group, parent_arn=solution, status="DELETE PENDING")
    of_group = Rehearsal(installation, scope, "delete-dataset-group", group)
    of_solution = Rehearsal(installation, scope, "delete-solution", solution)
    for workflow, job in ((DatasetGroupDeletion(), of_group), (SolutionDeletion(), of_solution)):
        with pytest.raises(JobPostponed):
            workflow.run(job)
    with scope.write() as tx:
        tx.remove(campaign)
    SolutionDeletion().run(Rehearsal(installation, scope, "delete-solution", solution))
    DatasetGroupDeletion().run(Rehearsal(installation, scope, "delete-dataset-group", group))
    with scope.read() as tx:
        assert tx.get(group) is None


def test_solution_goes_with_its_versions_and_models(installation: Installation, scope: Scope) -> None:
    staged: list[tuple[str, list[str]]] = []

    def stage() -> Callable[..., Rehearsal]:
        number = next(_numbers)
        arn = scope.arn(f"solution/s{number}")
        keys = [publish(installation, f"artifacts/{number}-{version}") for version in range(2)]
        tally = publish(installation, f"tallies/{number}-0")
        with scope.write() as tx:
            tx.add("solution", arn, f"s{number}", status="DELETE PENDING")
            for version, key in enumerate(keys):
                tx.add(
                    "solution-version",
                    f"{arn}/{version}",
                    f"s{number}/{version}",
                    parent_arn=arn,
                    status="ACTIVE",
                    internal={"artifact": key},
                )
            tx.add("solution-version", f"{arn}/x", "x", parent_arn=arn, status="CREATE FAILED")
        staged.append((arn, [*keys, tally]))
        return lambda die_at=None: Rehearsal(installation, scope, "delete-solution", arn, die_at=die_at)

    for _ in moments(SolutionDeletion(), stage):
        arn, keys = staged[-1]
        with scope.read() as tx:
            assert tx.get(arn) is None
            assert tx.find("solution-version", parent_arn=arn) == []
        assert not any(installation.objects.exists(key) for key in keys)
    assert len(staged) > 4


def test_group_goes_with_its_filters(installation: Installation, scope: Scope) -> None:
    mine, other = scope.arn("dataset-group/mine"), scope.arn("dataset-group/other")
    with scope.write() as tx:
        tx.add("dataset-group", mine, "mine", status="DELETE PENDING")
        tx.add("filter", scope.arn("filter/a"), "a", group_arn=mine, status="ACTIVE")
        tx.add("filter", scope.arn("filter/b"), "b", group_arn=other, status="ACTIVE")
    DatasetGroupDeletion().run(Rehearsal(installation, scope, "delete-dataset-group", mine))
    with scope.read() as tx:
        assert tx.get(mine) is None
        assert [row.name for row in tx.find("filter")] == ["b"]


def test_what_has_only_a_row(installation: Installation, scope: Scope) -> None:
    arn = scope.arn("filter/one")
    with scope.write() as tx:
        tx.add("filter", arn, "one", status="DELETE PENDING")
    Deletion("filter").run(Rehearsal(installation, scope, "delete-filter", arn))
    with scope.read() as tx:
        assert tx.get(arn) is None


@pytest.mark.parametrize("status", [None, "ACTIVE"])
def test_what_went_with_its_group_is_not_deleted_twice(
    installation: Installation, scope: Scope, status: str | None
) -> None:
    arn = scope.arn("filter/one")
    if status is not None:  # somebody made a new one of that name
        with scope.write() as tx:
            tx.add("filter", arn, "one", status=status)
    Deletion("filter").run(Rehearsal(installation, scope, "delete-filter", arn))
    with scope.read() as tx:
        assert (tx.get(arn) is not None) == (status is not None)


def test_a_deletion_that_fails_is_tried_again(
    installation: Installation, scope: Scope, caplog: pytest.LogCaptureFixture
) -> None:
    arn = scope.arn("filter/one")
    with scope.write() as tx:
        tx.add("filter", arn, "one", status="DELETE PENDING")
        job = Rehearsal(installation, scope, "delete-filter", arn)
        Deletion("filter").failed(job, tx, "The disk is full.")
    with scope.read() as tx:
        again = tx.job(arn)
    assert again is not None
    assert (again.kind, again.not_before) == ("delete-filter", installation.clock.now() + RETRY_SECONDS)
    assert "The disk is full." in caplog.text
