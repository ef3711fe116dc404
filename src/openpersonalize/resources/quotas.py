"""How many resources of a kind may exist; what exceeds a quota is refused in Amazon's words."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import LimitExceeded
from ..settings import Settings
from .internals import FilterInternal
from .kinds import KINDS
from .lifecycle import AT_WORK
from .transaction import Transaction

NOT_COUNTED = ("CREATE FAILED", "CREATE STOPPED", "DELETE PENDING", "DELETE IN_PROGRESS")


def check_quota(tx: Transaction, settings: Settings, kind: str, group_arn: str | None = None) -> None:
    """Whether there may be one more resource of a kind.

    Args:
        tx: where the others are. settings: the quotas.
        kind: its name.
        group_arn: the dataset group, of kinds that are counted there.

    Raises:
        LimitExceeded: it would be one too many.
    """
    quota = KINDS[kind].quota
    if quota is None:
        return
    if not quota.per_group and not quota.at_work and not tx.count(kind):
        _check_region(tx, settings)
    most = int(getattr(settings, quota.setting))
    where = group_arn if quota.per_group else None
    if quota.at_work:
        if tx.count(kind, group_arn=where, statuses=AT_WORK) >= most:
            raise LimitExceeded(
                f"More than {most} resources with PENDING or IN_PROGRESS status. {_named(quota.setting)}"
            )
        return
    if tx.count(kind, group_arn=where, not_statuses=NOT_COUNTED) >= most:
        raise LimitExceeded(
            f"Cannot create a {KINDS[kind].words}. More than {most} resources in ACTIVE state."
            f" Please delete some and try again. {_named(quota.setting)}"
        )


def _check_region(tx: Transaction, settings: Settings) -> None:
    """A region is a name that the caller chooses, and most quotas are a region's: so many regions may hold
    resources."""
    if tx.other_regions() >= settings.quota_regions:
        raise LimitExceeded(
            f"More than {settings.quota_regions} regions hold resources. Use one of them, or delete all"
            f" resources of one. {_named('quota_regions')}"
        )


def check_filter_fields(tx: Transaction, settings: Settings, group_arn: str, fields: Iterable[str]) -> None:
    """Raises LimitExceeded when all filters of the group together would read too many distinct dataset
    fields.

    Args:
        tx: where the group's filters are; each keeps what it reads.
        settings: the quota.
        group_arn: the dataset group.
        fields: what the new filter reads, e.g. "ITEMS.GENRE".
    """
    used = set(fields)
    for existing in tx.find("filter", group_arn=group_arn):
        if existing.status not in NOT_COUNTED:
            used.update(FilterInternal.of(existing).fields)
    if len(used) > settings.quota_filter_fields:
        raise LimitExceeded(
            f"The filters of a dataset group can use at most {settings.quota_filter_fields} distinct dataset"
            f" fields; with this filter they would use {len(used)}."
            f" {_named('quota_filter_fields')}"
        )


def _named(setting: str) -> str:
    """Which setting a quota is, and how whoever runs the server raises it."""
    return f"(Server setting {setting}: openpersonalize serve --{setting.replace('_', '-')} NUMBER.)"
