"""From requests to rows: PutEvents, PutActionInteractions, PutItems, PutUsers, PutActions, once the service
model's limits were checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..datasets.schemas import FLOAT_LIMIT, MAX_TIMESTAMP, Schema
from ..datasets.tables import id_column
from ..datasets.values import ID_LENGTH
from ..errors import InvalidInput
from .coercion import UnfitError, to_float, to_text
from .entries import Event, Record
from .frames import ACTION_MEMBERS, MEMBERS
from .properties import Columns, fold, parse

RESERVED = frozenset({"userid", "sessionid", "eventtype", "timestamp", "recommendationid", "impression"})
"""Keys, in lower case, that the properties of an event must not have: members of the event itself."""

MAX_EVENT_BYTES = 10 * 1024
"""Size of one event, serialised."""

_encode = msgspec.json.Encoder().encode


class EventReader:
    """Reads PutEvents requests for one Interactions schema. Immutable, safe in any thread."""

    def __init__(self, schema: Schema) -> None:
        self._columns = Columns(schema, fixed=MEMBERS)

    def read(self, request: Mapping[str, Any]) -> list[Event]:
        """The events of a request, in its order.

        `itemId` and `eventValue` may stand inside the properties; the member of the event itself wins.

        Raises:
            InvalidInput: ``Invalid Event at index <i>: <detail>`` for every problem of every event.
        """
        user, session = request.get("userId"), request["sessionId"]
        problems: list[str] = []
        events = []
        for index, given in enumerate(request["eventList"]):
            found: list[str] = []
            events.append(self._event(given, user, session, found))
            problems += [f"Invalid Event at index {index}: {detail}" for detail in found]
        if problems:
            raise InvalidInput(" ".join(problems))
        return events

    def _event(self, given: Mapping[str, Any], user: str | None, session: str, found: list[str]) -> Event:
        item, value = given.get("itemId"), given.get("eventValue")
        attribution = given.get("metricAttribution")
        source = attribution["eventAttributionSource"] if attribution else None
        stored = None
        if len(_encode(given)) > MAX_EVENT_BYTES:
            found.append("The event is larger than 10 KB.")
        if not 0 < given["sentAt"] <= MAX_TIMESTAMP:
            found.append("sentAt must lie after 1970-01-01 and not after 2100-01-01.")
        if value is not None and abs(value) >= FLOAT_LIMIT:
            found.append("eventValue must be a number of 32 bits.")
        pairs = _parsed(given.get("properties"), found)
        if pairs:
            members, others = _split(pairs, found)
            stored = self._columns.stored(others, found, nulls=True)
            if item is None and "itemid" in members:
                item = _item(*members["itemid"], found)
            if value is None and "eventvalue" in members:
                value = _value(*members["eventvalue"], found)
            if source is None and "eventattributionsource" in members:
                source = _source(*members["eventattributionsource"], found)
        if item is None and pairs is not None:
            found.append("itemId is required.")
        impression = given.get("impression")
        return Event(
            user,
            session,
            item or "",
            int(given["sentAt"]),
            given["eventType"],
            None if value is None else float(value),
            given.get("eventId"),
            given.get("recommendationId"),
            "|".join(impression) if impression else None,
            source,
            stored,
        )


class ActionInteractionReader:
    """Reads PutActionInteractions requests for one Action_Interactions schema. Immutable, safe in any thread.

    An action interaction is stored as an event whose item is the action.
    """

    def __init__(self, schema: Schema) -> None:
        self._columns = Columns(schema, fixed=ACTION_MEMBERS)

    def read(self, request: Mapping[str, Any]) -> list[Event]:
        """The action interactions of a request, in its order.

        Raises:
            InvalidInput: ``Invalid ActionInteraction at index <i>: <detail>`` for every problem of every one.
        """
        problems: list[str] = []
        events = []
        for index, given in enumerate(request["actionInteractions"]):
            found: list[str] = []
            events.append(self._event(given, found))
            problems += [f"Invalid ActionInteraction at index {index}: {detail}" for detail in found]
        if problems:
            raise InvalidInput(" ".join(problems))
        return events

    def _event(self, given: Mapping[str, Any], found: list[str]) -> Event:
        if len(_encode(given)) > MAX_EVENT_BYTES:
            found.append("The action interaction is larger than 10 KB.")
        if not 0 < given["timestamp"] <= MAX_TIMESTAMP:
            found.append("timestamp must lie after 1970-01-01 and not after 2100-01-01.")
        pairs = _parsed(given.get("properties"), found) or ()
        others = [pair for pair in pairs if not _reserved(pair[0], found)]
        impression = given.get("impression")
        return Event(
            given.get("userId"),
            given["sessionId"],
            given["actionId"],
            int(given["timestamp"]),
            given["eventType"],
            event_id=given.get("eventId"),
            recommendation_id=given.get("recommendationId"),
            impression="|".join(impression) if impression else None,
            properties=self._columns.stored(others, found, nulls=True) if others else None,
        )


class RecordReader:
    """Reads the records of PutItems, PutUsers or PutActions for one schema. Immutable, safe in any thread."""

    def __init__(self, schema: Schema, label: str, member: str) -> None:
        """Read records for `schema`.

        Args:
            schema: of the dataset.
            label: how messages call a record: ``Item``, ``User``, ``Action``.
            member: the request's member that holds a record's id: ``itemId``, ``userId``, ``actionId``.
        """
        self._columns = Columns(schema, fixed={id_column(schema)})
        self._label = label
        self._member = member

    def read(self, records: Sequence[Mapping[str, Any]]) -> list[Record]:
        """The records of a request, in its order; of one id sent twice the last will be in force.

        Raises:
            InvalidInput: ``Invalid Item at index <i>: <detail>`` (or User, or Action) for every problem of
                every record.
        """
        problems: list[str] = []
        read = []
        for index, given in enumerate(records):
            found: list[str] = []
            read.append(Record(given[self._member], self._stored(given.get("properties"), found)))
            problems += [f"Invalid {self._label} at index {index}: {detail}" for detail in found]
        if problems:
            raise InvalidInput(" ".join(problems))
        return read

    def _stored(self, text: str | None, found: list[str]) -> str | None:
        pairs = _parsed(text, found)
        return self._columns.stored(pairs, found, nulls=False) if pairs else None


_BESIDES = {fold(name) for name in MEMBERS} - {fold("USER_ID"), fold("TIMESTAMP")}


def _parsed(text: str | None, found: list[str]) -> tuple[tuple[str, Any], ...] | None:
    """The pairs of a `properties` member; () when it is absent, None when it cannot be read."""
    if text is None:
        return ()
    try:
        return parse(text)
    except UnfitError as unfit:
        found.append(str(unfit))
        return None


def _split(
    pairs: tuple[tuple[str, Any], ...], found: list[str]
) -> tuple[dict[str, tuple[str, Any]], list[tuple[str, Any]]]:
    """Properties that stand for members of the event, by folded name as (key, value), and all others."""
    members: dict[str, tuple[str, Any]] = {}
    others: list[tuple[str, Any]] = []
    for key, value in pairs:
        folded = fold(key)
        if _reserved(key, found):
            continue
        if folded not in _BESIDES:
            others.append((key, value))
        elif folded in members:
            found.append(f"Properties {members[folded][0]} and {key} name the same column.")
        else:
            members[folded] = (key, value)
    return members, others


def _reserved(key: str, found: list[str]) -> bool:
    """Whether a property has the name of a member of the event, which is then a problem."""
    if key.lower() not in RESERVED:
        return False
    found.append(f"Reserved keyword {key} cannot be used in properties.")
    return True


def _item(key: str, value: Any, found: list[str]) -> str | None:
    """The item that a property names; None when it is null or empty, "" when something is wrong with it."""
    try:
        if isinstance(value, list):
            raise UnfitError
        item = "" if value is None else to_text(value)
    except UnfitError:
        found.append(f"Invalid value for property {key}. It must be text.")
        return ""
    if len(item) > ID_LENGTH:
        found.append(f"Property {key} must have at most {ID_LENGTH} characters.")
    return item or None


def _value(key: str, value: Any, found: list[str]) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = {"true": 1.0, "false": 0.0}.get(value.lower(), value)
    elif isinstance(value, bool):
        value = float(value)
    try:
        return to_float(value)
    except UnfitError:
        found.append(f"Invalid value for property {key}. It must be a number of 32 bits.")
        return None


def _source(key: str, value: Any, found: list[str]) -> str | None:
    try:
        return (to_text(value) or None) if value is not None else None
    except UnfitError:
        found.append(f"Invalid value for property {key}. It must be text.")
        return None
