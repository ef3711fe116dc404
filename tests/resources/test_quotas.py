from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openpersonalize.clock import SystemClock
from openpersonalize.errors import LimitExceeded
from openpersonalize.resources import quotas
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.store import Scope, Transaction
from openpersonalize.settings import Settings, read_settings

GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/g"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    counted = (
        "dataset_groups",
        "schemas",
        "import_jobs",
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


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("solution", quotas.check_solutions),
        ("campaign", quotas.check_campaigns),
        ("filter", quotas.check_filters),
    ],
)
def test_active_resources_of_a_group_are_counted(
    scope: Scope, settings: Settings, kind: str, check: Callable[[Transaction, Settings, str], None]
) -> None:
    with scope.write() as tx:
        for n, status in enumerate(("ACTIVE", "CREATE FAILED", "DELETE PENDING", "DELETE IN_PROGRESS")):
            tx.add(kind, scope.arn(f"{kind}/{n}"), str(n), group_arn=GROUP, status=status)
        tx.add(kind, scope.arn(f"{kind}/other"), "other", group_arn="another", status="ACTIVE")
        check(tx, settings, GROUP)
        tx.add(kind, scope.arn(f"{kind}/last"), "last", group_arn=GROUP, status="CREATE PENDING")
        with pytest.raises(LimitExceeded) as error:
            check(tx, settings, GROUP)
    assert error.value.message == (
        f"Cannot create a {kind}. More than 2 resources in ACTIVE state. Please delete some and try again."
    )


def test_dataset_groups_and_schemas_are_counted_in_the_region(scope: Scope, settings: Settings) -> None:
    with scope.write() as tx:
        for n in range(2):
            quotas.check_dataset_groups(tx, settings)
            quotas.check_schemas(tx, settings)
            tx.add("dataset-group", scope.arn(f"dataset-group/{n}"), str(n), status="CREATE PENDING")
            tx.add("schema", scope.arn(f"schema/{n}"), str(n))
        with pytest.raises(LimitExceeded, match=r"^Cannot create a dataset group\. More than 2 "):
            quotas.check_dataset_groups(tx, settings)
        with pytest.raises(LimitExceeded, match=r"^Cannot create a schema\. More than 2 "):
            quotas.check_schemas(tx, settings)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("dataset-import-job", quotas.check_import_jobs),
        ("solution-version", quotas.check_solution_versions),
    ],
)
def test_running_work_is_counted_in_the_region(
    scope: Scope, settings: Settings, kind: str, check: Callable[[Transaction, Settings], None]
) -> None:
    with scope.write() as tx:
        for n, status in enumerate(("ACTIVE", "CREATE FAILED", "CREATE PENDING")):
            tx.add(kind, scope.arn(f"x/{n}"), str(n), status=status)
        check(tx, settings)
        tx.add(kind, scope.arn("x/last"), "last", status="CREATE IN_PROGRESS")
        with pytest.raises(LimitExceeded) as error:
            check(tx, settings)
    assert error.value.message == "More than 2 resources with PENDING or IN_PROGRESS status."


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
