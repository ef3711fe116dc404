"""The data deletion workflow: what a crash at any moment leaves, and who waits for whom."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

import shop
from leftovers import places_of
from openpersonalize.datasets.snapshot_writer import SnapshotWriter
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.engine.leases import JobOutput, write_output
from openpersonalize.engine.report import job_problems, job_report
from openpersonalize.engine.task import Task
from openpersonalize.errors import JobPostponed
from openpersonalize.events.entries import Event, Record
from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope
from openpersonalize.resources.tables import jobs
from openpersonalize.workflows.data_deletions import RETRY_SECONDS, DataDeletion
from openpersonalize.workflows.imports import Import
from openpersonalize.workflows.quotations import GONE
from openpersonalize.workflows.retention import retire_snapshot
from workflows.rehearsal import Died, Rehearsal, moments

PERSON = "of-whom-nothing-stays"
_numbers = itertools.count(1)


class Shelf:
    """A group with a Users dataset, imported and put, with streamed events, and a waiting deletion."""

    def __init__(self, installation: Installation, scope: Scope) -> None:
        self.installation, self.scope = installation, scope
        self.number = next(_numbers)
        name = f"g{self.number}"
        self.group = scope.arn(f"dataset-group/{name}")
        self.arn = scope.arn(f"data-deletion-job/{name}")
        self.users = scope.arn(f"dataset/{name}/USERS")
        self.old = self._published(f"snapshots/old{self.number}")
        retired = self._published(f"snapshots/retired{self.number}")
        location = f"s3://files/{name}.csv"
        path = installation.settings.data / "buckets" / "files" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"USER_ID\n{PERSON}\n")
        with scope.write() as tx:
            schema = tx.add(
                "schema", scope.arn(f"schema/{name}"), name, attributes={"schema": shop.SCHEMAS["Users"]}
            )
            tx.add("dataset-group", self.group, name, status="ACTIVE")
            tx.add(
                "dataset",
                self.users,
                "users",
                group_arn=self.group,
                status="ACTIVE",
                attributes={"datasetType": "USERS", "schemaArn": schema.arn},
                internal={"snapshot": self.old},
            )
            tx.add(
                "data-deletion-job",
                self.arn,
                name,
                group_arn=self.group,
                status="PENDING",
                attributes={"datasetGroupArn": self.group, "dataSource": {"dataLocation": location}},
            )
            retire_snapshot(tx, retired, installation.clock.now())
        installation.log.append(self.group, [Event(PERSON, "s1", "i1", 1_789_999_000, "click")]).result(10)
        installation.log.append(self.users, [Record(PERSON, "{}"), Record("stays", "{}")]).result(10)
        installation.recommendations.add(f"RID-{self.number}", scope.arn("campaign/c"), ["i1"], None)

    def _published(self, key: str) -> str:
        writer = SnapshotWriter(
            self.installation.objects, key, "USERS", shop.SCHEMAS["Users"], position=0, part_rows=2
        )
        rows = {"USER_ID": ["a", "b", PERSON, "c"], "AGE": [1, 2, 3, 4], "CITY": ["x", "y", "z", "x"]}
        frame = pl.DataFrame(rows, schema_overrides={"AGE": pl.Int32})
        for start in (0, 2):
            writer.append(frame[start : start + 2])
        writer.finish()
        writer.publish()
        return key

    def failed_import(self, group: str, name: str) -> str:
        """An import that told values of its file in every way it can."""
        arn = self.scope.arn(f"dataset-import-job/{name}{self.number}")
        what = '"someone" is no number'
        reason = f"Input csv has rows that do not conform. 2 problems; first 20: file a.csv, line 2: {what}"
        with self.scope.write() as tx:
            tx.add("dataset-import-job", arn, name, group_arn=group, status="CREATE PENDING")
            tx.enqueue("import", arn, {})
            job = tx.job(arn)
            assert job is not None
            hint = 'WARNING: column USER_ID: 1 row with "someone"'
            output = JobOutput(
                lines=[(0, "7 rows read"), (1, hint)], problems=[("a.csv", 2, "AGE", what)], problem_count=2
            )
            write_output(tx.connection, job, output)
            tx.connection.execute(
                sa.update(jobs).where(jobs.c.number == job.number).values(reason=reason, state="failed")
            )
            tx.update(arn, status="CREATE IN_PROGRESS")
            tx.update(arn, status="CREATE FAILED", set={"failureReason": reason})
        return arn

    def told(self, arn: str) -> tuple[str, list[str], list[Any], int]:
        """The reason, the lines, the problems and their number that the owner of a job sees."""
        report = job_report(self.scope, arn)
        assert report is not None
        with self.scope.read() as tx:
            assert tx.require(arn).attributes["failureReason"] == report["reason"]
        lines = [line["text"] for line in report["lines"]]
        return report["reason"], lines, job_problems(self.scope, arn), report["problem_count"]

    def rehearse(self, die_at: int | None = None) -> Rehearsal:
        payload = {"erasure": f"erasure{self.number}"}
        return Rehearsal(
            self.installation,
            self.scope,
            DataDeletion.kind,
            self.arn,
            payload=payload,
            heavy=self._step,
            die_at=die_at,
        )

    def _step(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        module, _, function = step.partition(":")
        if function == "forget":
            arguments = {**arguments, "answers_wait": 0.0}
        task = Task(self.installation.settings, "job", lambda report: None, lambda: False)
        made: dict[str, Any] = getattr(importlib.import_module(module), function)(task, **arguments)
        return made

    def described(self) -> tuple[str | None, Any]:
        with self.scope.read() as tx:
            row = tx.require(self.arn)
        return row.status, row.attributes.get("numDeleted")

    def bulk(self) -> list[str]:
        with self.scope.read() as tx:
            key = str(tx.require(self.users).internal.snapshot)
        return Snapshot.open(self.installation.objects, key).bulk().collect()["USER_ID"].to_list()


@pytest.fixture
def shelf(installation: Installation, scope: Scope) -> Callable[[], Shelf]:
    return lambda: Shelf(installation, scope)


def test_a_crash_at_any_moment_leaves_nothing_of_the_person(shelf: Callable[[], Shelf]) -> None:
    stages: list[Shelf] = []

    def stage() -> Callable[..., Rehearsal]:
        stages.append(shelf())
        return stages[-1].rehearse

    for _ in moments(DataDeletion(), stage):
        one = stages[-1]
        assert one.described() == ("COMPLETED", 2)
        assert one.bulk() == ["a", "b", "c"]
        assert places_of(PERSON, one.installation.settings.data) == []
        assert not list((one.installation.settings.data / "erasures").iterdir())
    assert len(stages) > 10


def test_what_imports_quoted_of_their_files_goes(shelf: Callable[[], Shelf]) -> None:
    one = shelf()
    ours = one.failed_import(one.group, "ours")
    other = one.failed_import(one.scope.arn("dataset-group/other"), "other")
    DataDeletion().run(one.rehearse())
    assert one.told(ours) == (
        f"Input csv has rows that do not conform. 2 problems. {GONE}",
        ["7 rows read"],
        [],
        2,
    )
    reason, lines, problems, count = one.told(other)
    assert (len(lines), len(problems), count) == (2, 1, 2)
    assert reason.endswith('file a.csv, line 2: "someone" is no number')


def test_it_waits_for_what_is_under_way_and_nothing_begins_meanwhile(shelf: Callable[[], Shelf]) -> None:
    one = shelf()
    job = one.scope.arn("dataset-import-job/one")
    with one.scope.write() as tx:
        tx.add("dataset-import-job", job, "one", group_arn=one.group, status="CREATE PENDING")
    rehearsal = Rehearsal(one.installation, one.scope, "import", job, payload={"position": 0})
    with pytest.raises(JobPostponed):
        Import().run(rehearsal)
    with one.scope.write() as tx:
        tx.update(job, status="CREATE IN_PROGRESS")
    with pytest.raises(JobPostponed):
        DataDeletion().run(one.rehearse())
    assert one.described() == ("PENDING", None)
    with one.scope.write() as tx:
        tx.update(job, status="ACTIVE")
    DataDeletion().run(one.rehearse())
    assert one.described() == ("COMPLETED", 2)


def test_a_failure_before_anything_is_in_force_changes_nothing(shelf: Callable[[], Shelf]) -> None:
    one = shelf()
    with pytest.raises(Died):
        DataDeletion().run(one.rehearse(die_at=7))
    with one.scope.write() as tx:
        DataDeletion().failed(one.rehearse(), tx, "No room on the disk.")
    assert one.described() == ("FAILED", None)
    assert one.bulk() == ["a", "b", PERSON, "c"]
    places = [path for path in places_of(PERSON, one.installation.settings.data) if "/" in path]
    assert {path.split("/")[1] for path in places} == {f"old{one.number}", f"retired{one.number}"}


def test_a_failure_after_that_is_tried_again(shelf: Callable[[], Shelf]) -> None:
    one = shelf()
    DataDeletion().run(one.rehearse())
    with one.scope.write() as tx:
        DataDeletion().failed(one.rehearse(), tx, "No room on the disk.")
        again = tx.job(one.arn)
    assert again is not None
    assert again.payload == {"erasure": f"erasure{one.number}"}
    assert again.not_before == one.installation.clock.now() + RETRY_SECONDS
