"""Updates in place: the old state holds until the last commit."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.workflows.updates import UpdateDataset, UpdateSolution
from workflows.rehearsal import Rehearsal, moments

_numbers = itertools.count(1)


def test_dataset_gets_its_new_schema(installation: Installation, scope: Scope) -> None:
    old, new = scope.arn("schema/old"), scope.arn("schema/new")
    staged: list[str] = []

    def stage() -> Callable[..., Rehearsal]:
        arn = scope.arn(f"dataset/g{next(_numbers)}/ITEMS")
        update = {"schemaArn": new, "status": "UPDATE PENDING", "creationDateTime": 1.0}
        with scope.write() as tx:
            tx.add("dataset", arn, "items", status="ACTIVE", attributes={"schemaArn": old})
            tx.update(arn, status="UPDATE PENDING", set={"latestDatasetUpdate": update})
        staged.append(arn)
        return lambda die_at=None: Rehearsal(installation, scope, "update-dataset", arn, die_at=die_at)

    for _ in moments(UpdateDataset(), stage):
        with scope.read() as tx:
            dataset = tx.require(staged[-1])
        assert dataset.status == "ACTIVE"
        assert dataset.attributes["schemaArn"] == dataset.parent_arn == new
        update = dataset.attributes["latestDatasetUpdate"]
        assert (update["status"], update["creationDateTime"]) == ("ACTIVE", 1.0)
        assert update["lastUpdatedDateTime"] == installation.clock.now()


def test_a_failed_update_leaves_the_dataset_as_it_was(installation: Installation, scope: Scope) -> None:
    arn = scope.arn("dataset/g/ITEMS")
    with scope.write() as tx:
        tx.add("dataset", arn, "items", status="ACTIVE", attributes={"schemaArn": "old"})
        tx.update(
            arn,
            status="UPDATE PENDING",
            set={"latestDatasetUpdate": {"schemaArn": "new", "status": "UPDATE PENDING"}},
        )
        UpdateDataset().failed(Rehearsal(installation, scope, "update-dataset", arn), tx, "No luck.")
        dataset = tx.require(arn)
    assert dataset.status == "ACTIVE"
    assert dataset.attributes["schemaArn"] == "old"
    update = dataset.attributes["latestDatasetUpdate"]
    assert (update["status"], update["failureReason"]) == ("UPDATE FAILED", "No luck.")


def test_solution_gets_its_new_settings(installation: Installation, scope: Scope) -> None:
    arn = scope.arn("solution/s")
    changed = {"autoTrainingConfig": {"schedulingExpression": "rate(3 days)"}}
    kept = {"algorithmHyperParameters": {"bptt": "3"}}
    with scope.write() as tx:
        tx.add(
            "solution",
            arn,
            "s",
            status="ACTIVE",
            attributes={
                "performAutoTraining": True,
                "solutionConfig": kept,
                "latestSolutionUpdate": {
                    "solutionUpdateConfig": changed,
                    "performAutoTraining": False,
                    "status": "CREATE PENDING",
                },
            },
        )
    UpdateSolution().run(Rehearsal(installation, scope, "update-solution", arn))
    with scope.read() as tx:
        solution = tx.require(arn)
    assert solution.attributes["solutionConfig"] == kept | changed
    assert solution.attributes["performAutoTraining"] is False
    assert "performIncrementalUpdate" not in solution.attributes
    assert solution.attributes["latestSolutionUpdate"]["status"] == "ACTIVE"
