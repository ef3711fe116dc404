"""The states a resource goes through, and which may follow which. States never move backwards."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import TypeAlias


class Status(StrEnum):
    """Every status that the control plane emits, each with the sentence that explains it."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Status:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    CREATE_PENDING = "CREATE PENDING", "Accepted; the work has not begun."
    CREATE_IN_PROGRESS = "CREATE IN_PROGRESS", "The work is under way."
    ACTIVE = "ACTIVE", "Ready to be used."
    CREATE_FAILED = "CREATE FAILED", "The work ended without success; failureReason says why."
    CREATE_STOPPING = "CREATE STOPPING", "Asked to stop; the work ends soon."
    CREATE_STOPPED = "CREATE STOPPED", "The work was stopped on request, for good."
    UPDATE_PENDING = "UPDATE PENDING", "In use as before; a change was accepted."
    UPDATE_IN_PROGRESS = "UPDATE IN_PROGRESS", "In use as before; a change is under way."
    STOP_PENDING = "STOP PENDING", "Is going to stop answering."
    STOP_IN_PROGRESS = "STOP IN_PROGRESS", "Is about to stop answering."
    INACTIVE = "INACTIVE", "Stopped; it can be started again."
    START_PENDING = "START PENDING", "Is going to be started again."
    START_IN_PROGRESS = "START IN_PROGRESS", "Is being started again."
    DELETE_PENDING = "DELETE PENDING", "Is going to be deleted."
    DELETE_IN_PROGRESS = "DELETE IN_PROGRESS", "Is being deleted."
    PENDING = "PENDING", "Accepted; the deletion of data has not begun."
    IN_PROGRESS = "IN_PROGRESS", "Data is being deleted."
    COMPLETED = "COMPLETED", "The data is gone."
    FAILED = "FAILED", "The deletion ended without success; failureReason says why."


PENDING = frozenset(
    {
        Status.CREATE_PENDING,
        Status.UPDATE_PENDING,
        Status.STOP_PENDING,
        Status.START_PENDING,
        Status.DELETE_PENDING,
        Status.PENDING,
    }
)
FINAL = frozenset(
    {
        Status.ACTIVE,
        Status.CREATE_FAILED,
        Status.CREATE_STOPPED,
        Status.INACTIVE,
        Status.COMPLETED,
        Status.FAILED,
    }
)
TRANSITIONAL = frozenset(Status) - FINAL
AT_WORK = frozenset(
    {
        Status.CREATE_PENDING,
        Status.CREATE_IN_PROGRESS,
        Status.CREATE_STOPPING,
        Status.PENDING,
        Status.IN_PROGRESS,
    }
)
"""Of a resource that is being made, or of a job that has not ended."""

Graph: TypeAlias = Mapping[str, Set[str]]
"""Which states may follow a state."""

CREATION: Graph = {
    "CREATE PENDING": {"CREATE IN_PROGRESS", "ACTIVE", "CREATE FAILED"},
    "CREATE IN_PROGRESS": {"ACTIVE", "CREATE FAILED"},
}
DELETION: Graph = {
    "ACTIVE": {"DELETE PENDING", "DELETE IN_PROGRESS"},
    "CREATE FAILED": {"DELETE PENDING", "DELETE IN_PROGRESS"},
    "DELETE PENDING": {"DELETE IN_PROGRESS"},
}
STOPPING: Graph = {
    "CREATE PENDING": {"CREATE STOPPING", "CREATE STOPPED"},
    "CREATE IN_PROGRESS": {"CREATE STOPPING", "CREATE STOPPED"},
    "CREATE STOPPING": {"CREATE STOPPED", "CREATE FAILED"},
}
UPDATE: Graph = {
    "ACTIVE": {"UPDATE PENDING", "UPDATE IN_PROGRESS"},
    "UPDATE PENDING": {"UPDATE IN_PROGRESS", "ACTIVE"},
    "UPDATE IN_PROGRESS": {"ACTIVE"},
}
# An update that succeeds mends a campaign whose creation failed.
MENDING: Graph = {"CREATE FAILED": {"ACTIVE"}}
START_STOP: Graph = {
    "ACTIVE": {"STOP PENDING", "STOP IN_PROGRESS"},
    "STOP PENDING": {"STOP IN_PROGRESS", "INACTIVE"},
    "STOP IN_PROGRESS": {"INACTIVE"},
    "INACTIVE": {"START PENDING", "START IN_PROGRESS", "DELETE PENDING", "DELETE IN_PROGRESS"},
    "START PENDING": {"START IN_PROGRESS", "ACTIVE", "INACTIVE"},
    "START IN_PROGRESS": {"ACTIVE", "INACTIVE"},
}
ERASURE: Graph = {
    "PENDING": {"IN_PROGRESS", "COMPLETED", "FAILED"},
    "IN_PROGRESS": {"COMPLETED", "FAILED"},
}


# A version whose training was stopped can be deleted with its solution only.
STOPPED_DELETION: Graph = {"CREATE STOPPED": {"DELETE PENDING"}}


def joined(*graphs: Graph) -> Graph:
    """What follows in any of the graphs."""
    found: dict[str, frozenset[str]] = {}
    for graph in graphs:
        for before, after in graph.items():
            found[before] = found.get(before, frozenset()).union(after)
    return found


def failed_after(status: str | None) -> str | None:
    """The status in which work that was in `status` ends when it fails, None when there is none to set."""
    if status is None:
        return None
    if status in ("PENDING", "IN_PROGRESS"):
        return Status.FAILED
    if status.startswith("CREATE") and status in TRANSITIONAL:
        return Status.CREATE_FAILED
    if status.startswith("UPDATE"):
        return Status.ACTIVE
    if status.startswith(("START", "STOP")):
        return Status.INACTIVE
    return None
