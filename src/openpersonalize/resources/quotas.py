"""How many resources of a kind may exist; what exceeds a quota is refused in Amazon's words."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import LimitExceeded
from ..settings import Settings
from .transaction import Transaction

RUNNING = ("CREATE PENDING", "CREATE IN_PROGRESS", "CREATE STOPPING", "PENDING", "IN_PROGRESS")
NOT_COUNTED = ("CREATE FAILED", "CREATE STOPPED", "DELETE PENDING", "DELETE IN_PROGRESS")


def check_dataset_groups(tx: Transaction, settings: Settings) -> None:
    """Raises LimitExceeded when another dataset group would be one too many in the region."""
    _check_active(tx, "dataset-group", settings.quota_dataset_groups)


def check_schemas(tx: Transaction, settings: Settings) -> None:
    """The same for schemas in the region."""
    _check_active(tx, "schema", settings.quota_schemas)


def check_solutions(tx: Transaction, settings: Settings, group_arn: str) -> None:
    """The same for solutions in a dataset group."""
    _check_active(tx, "solution", settings.quota_solutions, group_arn)


def check_campaigns(tx: Transaction, settings: Settings, group_arn: str) -> None:
    """The same for campaigns in a dataset group."""
    _check_active(tx, "campaign", settings.quota_campaigns, group_arn)


def check_filters(tx: Transaction, settings: Settings, group_arn: str) -> None:
    """The same for filters in a dataset group."""
    _check_active(tx, "filter", settings.quota_filters, group_arn)


def check_filter_fields(tx: Transaction, settings: Settings, group_arn: str, fields: Iterable[str]) -> None:
    """Raises LimitExceeded when all filters of the group together would read too many distinct dataset
    fields.

    Args:
        tx: where the group's filters are; each keeps its fields under ``internal["fields"]``.
        settings: the quota.
        group_arn: the dataset group.
        fields: what the new filter reads, e.g. "ITEMS.GENRE".
    """
    used = set(fields)
    for existing in tx.find("filter", group_arn=group_arn):
        if existing.status not in NOT_COUNTED:
            used.update(existing.internal.get("fields", ()))
    if len(used) > settings.quota_filter_fields:
        raise LimitExceeded(
            f"The filters of a dataset group can use at most {settings.quota_filter_fields} distinct dataset"
            f" fields; with this filter they would use {len(used)}."
        )


def check_import_jobs(tx: Transaction, settings: Settings) -> None:
    """Raises LimitExceeded when too many import jobs are pending or in progress in the region."""
    _check_running(tx, "dataset-import-job", settings.quota_import_jobs)


def check_solution_versions(tx: Transaction, settings: Settings) -> None:
    """The same for solution versions."""
    _check_running(tx, "solution-version", settings.quota_solution_versions)


def _check_active(tx: Transaction, kind: str, quota: int, group_arn: str | None = None) -> None:
    if tx.count(kind, group_arn=group_arn, not_statuses=NOT_COUNTED) >= quota:
        raise LimitExceeded(
            f"Cannot create a {kind.replace('-', ' ')}. More than {quota} resources in ACTIVE state."
            " Please delete some and try again."
        )


def _check_running(tx: Transaction, kind: str, quota: int) -> None:
    if tx.count(kind, statuses=RUNNING) >= quota:
        raise LimitExceeded(f"More than {quota} resources with PENDING or IN_PROGRESS status.")
