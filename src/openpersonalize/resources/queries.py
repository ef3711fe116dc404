"""Queries of the resources of one account and region, `ResourceQueries`: what a transaction can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from ..errors import ResourceNotFound
from .arns import elsewhere, other_kind
from .rows import Resource, read_resource
from .tables import resources


class ResourceQueries:
    """Reads over one connection; an ARN of another account or region does not exist here."""

    def __init__(self, connection: sa.Connection, account: str, region: str) -> None:
        self._connection = connection
        self._account = account
        self._region = region

    def get(self, arn: str, kind: str | None = None) -> Resource | None:
        """The resource named `arn`, None when it does not exist here or is of another kind than `kind`."""
        if not arn.isascii():
            return None
        query = self._select().where(resources.c.arn == arn)
        if kind is not None:
            query = query.where(resources.c.kind == kind)
        row = self._connection.execute(query).first()
        return read_resource(row._mapping) if row is not None else None

    def require(self, arn: str, kind: str | None = None) -> Resource:
        """As `get`.

        Raises:
            ResourceNotFound: there is none.
        """
        found = self.get(arn, kind)
        if found is None:
            more = other_kind(arn, kind) or elsewhere(arn, self._account, self._region)
            raise ResourceNotFound(f"Resource Arn {arn} does not exist.{more}")
        return found

    def page(
        self,
        kind: str,
        *,
        group_arn: str | None = None,
        parent_arn: str | None = None,
        after: Sequence[Any] | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[Resource]:
        """At most `limit` resources by (created_at, arn), from behind the position ``[created_at, arn]`` on.

        Args:
            kind: which kind.
            group_arn, parent_arn: only those that belong to it.
            after: `Resource.position` of the last one already seen.
            limit: how many at most.
            newest_first: the other way round.
        """
        query = self._narrowed(kind, group_arn, parent_arn)
        place = sa.tuple_(resources.c.created, resources.c.arn)
        if after is not None:
            seen = sa.tuple_(round(after[0] * 1000), after[1])
            query = query.where(place < seen if newest_first else place > seen)
        columns = (resources.c.created, resources.c.arn)
        query = query.order_by(*(c.desc() if newest_first else c.asc() for c in columns)).limit(limit)
        return [read_resource(row) for row in self._connection.execute(query).mappings()]

    def find(
        self,
        kind: str,
        *,
        group_arn: str | None = None,
        parent_arn: str | None = None,
        statuses: Iterable[str] | None = None,
    ) -> list[Resource]:
        """All resources of a kind by (created_at, arn), narrowed as asked."""
        query = self._narrowed(kind, group_arn, parent_arn)
        if statuses is not None:
            query = query.where(resources.c.status.in_(list(statuses)))
        query = query.order_by(resources.c.created, resources.c.arn)
        return [read_resource(row) for row in self._connection.execute(query).mappings()]

    def count(
        self,
        kind: str,
        *,
        group_arn: str | None = None,
        parent_arn: str | None = None,
        statuses: Iterable[str] | None = None,
        not_statuses: Iterable[str] | None = None,
    ) -> int:
        """How many resources of a kind there are; one without a status is in no state of `not_statuses`."""
        query = self._narrowed(kind, group_arn, parent_arn).with_only_columns(sa.func.count())
        if statuses is not None:
            query = query.where(resources.c.status.in_(list(statuses)))
        if not_statuses is not None:
            query = query.where(sa.func.coalesce(resources.c.status, "").not_in(list(not_statuses)))
        return int(self._connection.scalar(query) or 0)

    def other_regions(self) -> int:
        """How many other regions hold resources of the account."""
        regions = sa.select(sa.func.count(sa.distinct(resources.c.region)))
        mine = sa.and_(resources.c.account == self._account, resources.c.region != self._region)
        return int(self._connection.scalar(regions.where(mine)) or 0)

    def _select(self) -> sa.Select[Any]:
        return sa.select(resources).where(
            resources.c.account == self._account, resources.c.region == self._region
        )

    def _narrowed(self, kind: str, group_arn: str | None, parent_arn: str | None) -> sa.Select[Any]:
        query = self._select().where(resources.c.kind == kind)
        if group_arn is not None:
            query = query.where(resources.c.group_arn == group_arn)
        if parent_arn is not None:
            query = query.where(resources.c.parent_arn == parent_arn)
        return query
