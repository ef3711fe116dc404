from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.toy import ToyInstallation
from openpersonalize.engine.leases import Account, Leases
from openpersonalize.resources.jobrows import JobState


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[ToyInstallation]:
    opened = ToyInstallation.open(tmp_path / "data")
    yield opened
    opened.metadata.close()


def test_what_a_job_at_work_writes_changes_no_resource(installation: ToyInstallation) -> None:
    """Serving compares this number: if it differed, each heartbeat would have every campaign read again."""
    installation.enqueue("toy", "a")
    installation.enqueue("toy", "b")
    metadata = installation.metadata
    before = metadata.resources_version()
    leases = Leases(metadata, "me", lambda _: False)
    one, other = leases.claim((), 4, 2)
    assert leases.take_slot(one, 2)
    for n in range(10):
        told = Account(progress={"step": "fit"}, lines=[(n, "so far so good")], problem_count=n)
        assert leases.renew([(one, told)]) == []
    leases.put_back(other, Account(), reason="again")
    Leases(metadata, "another", lambda _: True).requeue_lost()
    assert metadata.resources_version() == before


def test_the_end_of_a_job_changes_what_its_transaction_changes(installation: ToyInstallation) -> None:
    arn = installation.enqueue("toy", "a")
    leases = Leases(installation.metadata, "me", lambda _: False)
    (job,) = leases.claim((), 1, 2)
    before = installation.metadata.resources_version()
    with installation.scope.write() as tx:
        leases.end(tx, job, JobState.DONE, Account())
        tx.update(arn, status="CREATE IN_PROGRESS")
    assert installation.metadata.resources_version() != before
