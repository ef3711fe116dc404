"""Tags: at most 50 names with a value on a resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from ..errors import InvalidInput, TooManyTags
from .tables import tags

MOST = 50


def check_tags(given: Sequence[Mapping[str, str]], existing: Iterable[str] = ()) -> None:
    """Whether `given` may be put on a resource that has tags named `existing`; all violations in one message.

    Raises:
        InvalidInput: a key is reserved or given twice.
        TooManyTags: the resource would have more than 50.
    """
    keys = [tag["tagKey"] for tag in given]
    problems = [
        f"Tag key {key} is reserved: keys must not start with aws:." for key in keys if _reserved(key)
    ]
    problems += [
        f"Tag key {key} is given more than once." for key in dict.fromkeys(keys) if keys.count(key) > 1
    ]
    if problems:
        raise InvalidInput(" ".join(problems))
    if len(set(keys).union(existing)) > MOST:
        raise TooManyTags()


def read_tags(connection: sa.Connection, arn: str) -> list[dict[str, str]]:
    """The tags of a resource in order of addition."""
    rows = connection.execute(
        sa.select(tags.c.tag_key, tags.c.tag_value).where(tags.c.resource_arn == arn).order_by(tags.c.place)
    )
    return [{"tagKey": row.tag_key, "tagValue": row.tag_value} for row in rows]


def write_tags(connection: sa.Connection, arn: str, given: Sequence[Mapping[str, str]]) -> None:
    """Add tags, or replace the values of keys that exist and keep their place; all or none."""
    values = {tag["tagKey"]: tag["tagValue"] for tag in read_tags(connection, arn)}
    check_tags(given, values)
    values.update({tag["tagKey"]: tag.get("tagValue", "") for tag in given})
    connection.execute(sa.delete(tags).where(tags.c.resource_arn == arn))
    if values:
        connection.execute(
            sa.insert(tags),
            [
                {"resource_arn": arn, "tag_key": key, "tag_value": value, "place": place}
                for place, (key, value) in enumerate(values.items())
            ],
        )


def erase_tags(connection: sa.Connection, arn: str, keys: Sequence[str]) -> None:
    """Remove tags by key; keys that the resource lacks are ignored."""
    connection.execute(sa.delete(tags).where(tags.c.resource_arn == arn, tags.c.tag_key.in_(list(keys))))


def _reserved(key: str) -> bool:
    return key.lower().startswith("aws:")
