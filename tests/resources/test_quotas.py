from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openpersonalize.clock import SystemClock
from openpersonalize.errors import LimitExceeded
from openpersonalize.resources import quotas
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.store import Scope
from openpersonalize.settings import Settings, read_settings

GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/g"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    counted = (
        "dataset_groups",
        "schemas",
        "import_jobs",
        "batch_segment_jobs",
        "solutions",
        "solution_versions",
        "campaigns",
        "filters",
    )
    limits = {f"quota_{name}": 2 for name in counted}
    return read_settings({"data_dir": str(tmp_path), "quota_filter_fields": 3, **limits}, {})


@pytest.fixture
def scope(settings: Settings) -> Iterator[Scope]:
    store = open_metadata_store(settings, SystemClock())
    yield store.scope("000000000000", "us-east-1")
    store.close()


@pytest.mark.parametrize("kind", ["solution", "campaign", "filter"])
def test_active_resources_of_a_group_are_counted(scope: Scope, settings: Settings, kind: str) -> None:
    with scope.write() as tx:
        for n, status in enumerate(("ACTIVE", "CREATE FAILED", "DELETE PENDING", "DELETE IN_PROGRESS")):
            tx.add(kind, scope.arn(f"{kind}/{n}"), str(n), group_arn=GROUP, status=status)
        tx.add(kind, scope.arn(f"{kind}/other"), "other", group_arn="another", status="ACTIVE")
        quotas.check_quota(tx, settings, kind, GROUP)
        tx.add(kind, scope.arn(f"{kind}/last"), "last", group_arn=GROUP, status="CREATE PENDING")
        with pytest.raises(LimitExceeded) as error:
            quotas.check_quota(tx, settings, kind, GROUP)
    assert error.value.message == (
        f"Cannot create a {kind}. More than 2 resources in ACTIVE state. Please delete some and try again."
        f" (Server setting quota_{kind}s: openpersonalize serve --quota-{kind}s NUMBER.)"
    )


def test_dataset_groups_and_schemas_are_counted_in_the_region(scope: Scope, settings: Settings) -> None:
    with scope.write() as tx:
        for n in range(2):
            quotas.check_quota(tx, settings, "dataset-group")
            quotas.check_quota(tx, settings, "schema")
            tx.add("dataset-group", scope.arn(f"dataset-group/{n}"), str(n), status="CREATE PENDING")
            tx.add("schema", scope.arn(f"schema/{n}"), str(n))
        with pytest.raises(LimitExceeded, match=r"^Cannot create a dataset group\. More than 2 "):
            quotas.check_quota(tx, settings, "dataset-group")
        with pytest.raises(LimitExceeded, match=r"^Cannot create a schema\. More than 2 "):
            quotas.check_quota(tx, settings, "schema")


@pytest.mark.parametrize("kind", ["dataset-import-job", "batch-segment-job", "solution-version"])
def test_running_work_is_counted_in_the_region(scope: Scope, settings: Settings, kind: str) -> None:
    with scope.write() as tx:
        for n, status in enumerate(("ACTIVE", "CREATE FAILED", "CREATE PENDING")):
            tx.add(kind, scope.arn(f"x/{n}"), str(n), status=status)
        quotas.check_quota(tx, settings, kind)
        tx.add(kind, scope.arn("x/last"), "last", status="CREATE IN_PROGRESS")
        with pytest.raises(LimitExceeded) as error:
            quotas.check_quota(tx, settings, kind)
    assert error.value.message.startswith("More than 2 resources with PENDING or IN_PROGRESS status. (Server")


def test_fields_of_all_filters_of_a_group_are_counted_once(scope: Scope, settings: Settings) -> None:
    with scope.write() as tx:
        for n, fields in enumerate((["ITEMS.A", "ITEMS.B"], ["ITEMS.B"])):
            tx.add(
                "filter",
                scope.arn(f"filter/{n}"),
                str(n),
                group_arn=GROUP,
                status="ACTIVE",
                internal={"fields": fields},
            )
        tx.add(
            "filter",
            scope.arn("filter/going"),
            "going",
            group_arn=GROUP,
            status="DELETE PENDING",
            internal={"fields": ["ITEMS.Z"]},
        )
        quotas.check_filter_fields(tx, settings, GROUP, {"ITEMS.A", "USERS.C"})
        with pytest.raises(LimitExceeded, match=r"at most 3 distinct .* would use 4"):
            quotas.check_filter_fields(tx, settings, GROUP, {"USERS.C", "USERS.D"})


def test_a_kind_without_a_quota_has_no_limit(scope: Scope, settings: Settings) -> None:
    with scope.write() as tx:
        for n in range(5):
            tx.add("event-tracker", scope.arn(f"event-tracker/{n}"), str(n), status="ACTIVE")
        quotas.check_quota(tx, settings, "event-tracker")


def test_regions_do_not_multiply_quotas(settings: Settings) -> None:
    few = replace(settings, quota_regions=3)
    store = open_metadata_store(few, SystemClock())
    for number in range(5):
        scope = store.scope("000000000000", f"region-{number}")
        with scope.write() as tx:
            for kind in ("schema", "dataset-group"):
                if number < 3:
                    quotas.check_quota(tx, few, kind)
                else:
                    with pytest.raises(LimitExceeded, match="3 regions"):
                        quotas.check_quota(tx, few, kind)
            if number < 3:
                tx.add("schema", scope.arn("schema/s"), "s")
    with store.scope("000000000000", "region-0").write() as tx:
        quotas.check_quota(tx, few, "schema")  # one that holds resources goes on
    store.close()
