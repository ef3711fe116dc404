"""Solution versions among each other: which is the newest that was trained in full."""

from __future__ import annotations

from .internals import VersionInternal
from .store import Resource, Transaction


def newest_full_version(tx: Transaction, solution_arn: str) -> Resource | None:
    """The newest ACTIVE version that was trained with mode FULL: what ``$LATEST`` stands for."""
    active = tx.find("solution-version", parent_arn=solution_arn, statuses=("ACTIVE",))
    full = [version for version in active if version.attributes["trainingMode"] == "FULL"]
    return max(full, key=age_key, default=None)


def age_key(version: Resource) -> tuple[float, str]:
    """Orders the versions of a solution from the oldest to the newest."""
    return version.created_at, version.arn


def updates_until(tx: Transaction, version: Resource) -> int | None:
    """The place in the live log where the automatic updates of a version end; None: they go on.

    They are for versions trained in full, and end where the training of a newer such version began (Amazon
    Personalize developer guide, "Automatic updates").
    """
    if version.attributes["trainingMode"] != "FULL":
        return int(VersionInternal.of(version).position)
    active = tx.find("solution-version", parent_arn=version.parent_arn, statuses=("ACTIVE",))
    newer = [
        int(VersionInternal.of(one).position)
        for one in active
        if one.attributes["trainingMode"] == "FULL" and age_key(one) > age_key(version)
    ]
    return min(newer, default=None)
