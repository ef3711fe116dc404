"""What the live log holds: events, records, and the news that something was forgotten."""

from __future__ import annotations

from typing import NamedTuple

COUNTS = 0
"""Mark of an event that counts in training and histories."""

REPEATED_ID = 1
"""Mark of an event whose eventId was seen before in its dataset: exported, but never counted."""

IDENTICAL = 2
"""Mark of an event equal to an earlier one in user, item, time, type, value and properties."""


class Event(NamedTuple):
    """One interaction, ready to store.

    Attributes:
        user: the user, or None for an event of an anonymous session.
        session: the session it came from.
        item: the item.
        time: when it happened, epoch seconds.
        type: the event type as written by the caller.
        value: the event value, or None.
        event_id: the caller's identifier; None when there is none: a generated one could never repeat.
        recommendation_id: the answer that led to it, or None.
        impression: the items shown, joined with ``|``, or None.
        source: the eventAttributionSource, or None.
        properties: the schema's other columns as the text of a JSON object; None when there are none.
    """

    user: str | None
    session: str
    item: str
    time: int
    type: str
    value: float | None = None
    event_id: str | None = None
    recommendation_id: str | None = None
    impression: str | None = None
    source: str | None = None
    properties: str | None = None


class Record(NamedTuple):
    """One version of an item, user or action: its id, and its columns as the text of a JSON object."""

    id: str
    properties: str | None = None


class LoggedEvent(NamedTuple):
    """An event as a follower of the log sees it.

    Attributes:
        position: its place in the log.
        stream: the dataset it belongs to, by ARN.
        subject: the user, or the session for an anonymous event.
        item: the item.
        time: epoch seconds.
        type: the event type.
        value: the event value, or None.
        mark: `COUNTS`, `REPEATED_ID` or `IDENTICAL`.
    """

    position: int
    stream: str
    subject: str
    item: str
    time: int
    type: str
    value: float | None
    mark: int


class Forgotten(NamedTuple):
    """That data was removed: where in the log, from which dataset (ARN), whose (None: everybody's)."""

    position: int
    stream: str
    subject: str | None


class News(NamedTuple):
    """One bounded step along the tail of the log.

    Attributes:
        events: events that were appended, in order of position.
        records: by dataset (ARN), the position of the newest record that was written.
        forgotten: removals, in order of position.
        position: everything up to here has been told.
        skipped: the step was too long to tell one by one, or begins too long ago, and `events` and
            `forgotten` are empty: whatever was kept in memory about anybody is to be read again.
    """

    events: list[LoggedEvent]
    records: dict[str, int]
    forgotten: list[Forgotten]
    position: int
    skipped: bool
