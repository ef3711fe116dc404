"""One transaction on the resources of one account and region, `Transaction`: its reads are in `queries`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ..errors import ResourceAlreadyExists
from . import jobrows
from .jobrows import JobRow
from .kinds import KINDS
from .queries import ResourceQueries
from .rows import Resource, instant_after, internal_of, read_resource
from .tables import resources
from .tags import erase_tags, read_tags, write_tags

_KEEP: Any = object()


class Transaction(ResourceQueries):
    """What can be read and changed inside one transaction; made by `Scope.read` and `Scope.write`.

    Everything is inside one account and region by construction: an ARN of another one does not exist here.
    A transaction belongs to the thread and the ``with`` block that opened it.

    Attributes:
        changed_resources, changed_jobs: what it changed so far; see `MetadataStore.resources_version` and
            `jobs_version`.
    """

    def __init__(
        self, connection: sa.Connection, account: str, region: str, now: float, writable: bool
    ) -> None:
        super().__init__(connection, account, region)
        self._now = now
        self._writable = writable
        self.changed_resources = False
        self.changed_jobs = False

    @property
    def connection(self) -> sa.Connection:
        """The connection under it: for the job engine, which shares the transaction with workflows."""
        return self._connection

    def add(
        self,
        kind: str,
        arn: str,
        name: str,
        *,
        group_arn: str | None = None,
        parent_arn: str | None = None,
        status: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        internal: Mapping[str, Any] | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> Resource:
        """Create a resource.

        Raises:
            ResourceAlreadyExists: the ARN is taken, also when its resource is being deleted.
            InvalidInput, TooManyTags: see `tags.check_tags`.
        """
        self._require_writable()
        self.changed_resources = True
        if status is not None and (kind not in KINDS or status not in KINDS[kind].statuses):
            raise AssertionError(f"a {kind} has no status {status}")
        taken = self._connection.scalar(sa.select(resources.c.arn).where(resources.c.arn == arn))
        if taken is not None:
            raise ResourceAlreadyExists(f"Another resource with Arn {arn} already exists.")
        created = self._next_instant(kind)
        values = {
            "arn": arn,
            "kind": kind,
            "name": name,
            "group_arn": group_arn,
            "parent_arn": parent_arn,
            "status": status,
            "created": created,
            "updated": created,
            "attributes": json.dumps(dict(attributes or {})),
            "internal": internal_of(kind)().changed(internal or {}).encoded(),
        }
        where = {"account": self._account, "region": self._region}
        self._connection.execute(sa.insert(resources), values | where)
        if tags:
            write_tags(self._connection, arn, tags)
        return read_resource(values)

    def update(
        self,
        resource: Resource | str,
        *,
        status: str | None = _KEEP,
        set: Mapping[str, Any] | None = None,
        unset: Iterable[str] = (),
        internal: Mapping[str, Any] | None = None,
        touch: bool = True,
        parent_arn: str | None = _KEEP,
    ) -> Resource:
        """Change a resource and return it as it is now.

        Args:
            resource: the resource or its ARN; what is stored counts, not what the record says.
            status: the new status; which may follow which is in `lifecycle`, a violation is a bug
                (AssertionError).
            set: attributes to add or replace.
            unset: attributes to remove, if there.
            internal: members of the record to replace; None puts one back to its default.
            touch: whether lastUpdatedDateTime becomes now.
            parent_arn: a new parent.
        """
        self._require_writable()
        self.changed_resources = True
        current = self.require(resource if isinstance(resource, str) else resource.arn)
        values: dict[str, Any] = {"status": current.status, "parent_arn": current.parent_arn}
        if status is not _KEEP:
            if not KINDS[current.kind].may_follow(current.status, status):
                raise AssertionError(f"{current.arn}: {status} cannot follow {current.status}")
            values["status"] = status
        unwanted = frozenset(unset)
        attributes = {k: v for k, v in current.attributes.items() if k not in unwanted} | dict(set or {})
        values["attributes"] = json.dumps(attributes)
        values["internal"] = current.internal.changed(internal or {}).encoded()
        if parent_arn is not _KEEP:
            values["parent_arn"] = parent_arn
        created, updated = round(current.created_at * 1000), round(current.updated_at * 1000)
        values["updated"] = max(round(self._now * 1000), created) if touch else updated
        self._connection.execute(sa.update(resources).where(resources.c.arn == current.arn).values(values))
        same = {
            "arn": current.arn,
            "kind": current.kind,
            "name": current.name,
            "group_arn": current.group_arn,
        }
        return read_resource(values | same | {"created": created})

    def remove(self, arn: str) -> None:
        """Delete a resource with its tags, and cancel those of its jobs that nobody has begun.

        The records of its jobs stay. Removing what does not exist does nothing.
        """
        self._require_writable()
        self.changed_resources = self.changed_jobs = True
        jobrows.cancel_queued(self._connection, arn, self._now)
        self._connection.execute(
            sa.delete(resources).where(
                resources.c.arn == arn,
                resources.c.account == self._account,
                resources.c.region == self._region,
            )
        )

    def tags(self, arn: str) -> list[dict[str, str]]:
        """The tags of a resource, ``{"tagKey", "tagValue"}``, in order of addition.

        Raises:
            ResourceNotFound: there is no such resource here; so in the next two.
        """
        self.require(arn)
        return read_tags(self._connection, arn)

    def set_tags(self, arn: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Add tags or replace values; all or none.

        Raises:
            InvalidInput, TooManyTags: see `tags.check_tags`.
        """
        self._require_writable()
        self.changed_resources = True
        self.require(arn)
        write_tags(self._connection, arn, tags)

    def remove_tags(self, arn: str, keys: Sequence[str]) -> None:
        """Remove tags by key; unknown keys are ignored."""
        self._require_writable()
        self.changed_resources = True
        self.require(arn)
        erase_tags(self._connection, arn, keys)

    def enqueue(
        self,
        kind: str,
        resource_arn: str,
        payload: dict[str, Any],
        *,
        not_before: float | None = None,
        queue: str | None = None,
    ) -> str:
        """Ask for a job, in this very transaction: it exists exactly if the rest of the transaction does.

        Args:
            kind: the workflow that does it.
            resource_arn: what it is about.
            payload: what else the workflow needs, as JSON.
            not_before: seconds since 1970 before which it must not start.
            queue: jobs with the same queue run one after the other, in order of creation.

        Returns:
            The job's id.
        """
        self._require_writable()
        self.changed_jobs = True
        return jobrows.insert_job(
            self._connection,
            account=self._account,
            region=self._region,
            kind=kind,
            resource_arn=resource_arn,
            payload=payload,
            queue=queue,
            now=self._now,
            not_before=not_before,
        )

    def job(self, resource_arn: str) -> JobRow | None:
        """The newest job of a resource, also when the resource is gone."""
        found = jobrows.newest_job(self._connection, resource_arn) if resource_arn.isascii() else None
        here = found is not None and (found.account, found.region) == (self._account, self._region)
        return found if here else None

    def request_cancel(self, resource_arn: str) -> bool:
        """Stop the jobs of a resource.

        One that was never begun ends here and now, without a word to its workflow. One that was begun is
        asked to end, and its workflow's `stopped` is called when it did.

        Returns:
            Whether there was any to stop.
        """
        self._require_writable()
        self.changed_jobs = True
        waiting = jobrows.cancel_queued(self._connection, resource_arn, self._now, untouched=True)
        return waiting + jobrows.ask_to_stop(self._connection, resource_arn) > 0

    def _next_instant(self, kind: str) -> int:
        newest = (
            self._select().where(resources.c.kind == kind).with_only_columns(sa.func.max(resources.c.created))
        )
        return instant_after(self._connection.scalar(newest), round(self._now * 1000))

    def _require_writable(self) -> None:
        if not self._writable:
            raise AssertionError("this transaction was opened for reading")
