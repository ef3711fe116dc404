"""The states a resource goes through, and which may follow which. States never move backwards."""

from __future__ import annotations

from enum import StrEnum


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

_CREATION: dict[str, set[str]] = {
    "CREATE PENDING": {"CREATE IN_PROGRESS", "ACTIVE", "CREATE FAILED"},
    "CREATE IN_PROGRESS": {"ACTIVE", "CREATE FAILED"},
}
_DELETION: dict[str, set[str]] = {
    "ACTIVE": {"DELETE PENDING", "DELETE IN_PROGRESS"},
    "CREATE FAILED": {"DELETE PENDING", "DELETE IN_PROGRESS"},
    "DELETE PENDING": {"DELETE IN_PROGRESS"},
}
_STOPPING: dict[str, set[str]] = {
    "CREATE PENDING": {"CREATE STOPPING", "CREATE STOPPED"},
    "CREATE IN_PROGRESS": {"CREATE STOPPING", "CREATE STOPPED"},
    "CREATE STOPPING": {"CREATE STOPPED", "CREATE FAILED"},
}
_UPDATE: dict[str, set[str]] = {
    "ACTIVE": {"UPDATE PENDING", "UPDATE IN_PROGRESS"},
    "UPDATE PENDING": {"UPDATE IN_PROGRESS", "ACTIVE"},
    "UPDATE IN_PROGRESS": {"ACTIVE"},
}
# An update that succeeds mends a campaign or recommender whose creation failed.
_MENDING: dict[str, set[str]] = {"CREATE FAILED": {"ACTIVE"}}
_START_STOP: dict[str, set[str]] = {
    "ACTIVE": {"STOP PENDING", "STOP IN_PROGRESS"},
    "STOP PENDING": {"STOP IN_PROGRESS", "INACTIVE"},
    "STOP IN_PROGRESS": {"INACTIVE"},
    "INACTIVE": {"START PENDING", "START IN_PROGRESS", "DELETE PENDING", "DELETE IN_PROGRESS"},
    "START PENDING": {"START IN_PROGRESS", "ACTIVE", "INACTIVE"},
    "START IN_PROGRESS": {"ACTIVE", "INACTIVE"},
}
_ERASURE: dict[str, set[str]] = {
    "PENDING": {"IN_PROGRESS", "COMPLETED", "FAILED"},
    "IN_PROGRESS": {"COMPLETED", "FAILED"},
}


def _together(*graphs: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    joined: dict[str, set[str]] = {}
    for graph in graphs:
        for before, after in graph.items():
            joined.setdefault(before, set()).update(after)
    return {before: frozenset(after) for before, after in joined.items()}


_USUAL = _together(_CREATION, _DELETION)
TRANSITIONS: dict[str, dict[str, frozenset[str]]] = {
    "dataset-group": _USUAL,
    "dataset": _together(_CREATION, _DELETION, _UPDATE),
    "dataset-import-job": _USUAL,
    "dataset-export-job": _USUAL,
    "data-deletion-job": _together(_ERASURE),
    "event-tracker": _USUAL,
    "filter": _USUAL,
    "solution": _USUAL,
    "solution-version": _together(_CREATION, _DELETION, _STOPPING, {"CREATE STOPPED": {"DELETE PENDING"}}),
    "campaign": _together(_CREATION, _DELETION, _MENDING),
    "recommender": _together(_CREATION, _DELETION, _MENDING, _START_STOP),
    "batch-inference-job": _USUAL,
    "batch-segment-job": _USUAL,
    "metric-attribution": _USUAL,
}
"""For each kind of resource: which states may follow a state. A kind not named here has no status."""


def statuses_of(kind: str) -> frozenset[str]:
    """Every status that a resource of this kind can have; empty for kinds without one."""
    graph = TRANSITIONS.get(kind, {})
    return frozenset(graph) | frozenset(after for follow in graph.values() for after in follow)


def may_follow(kind: str, before: str | None, after: str | None) -> bool:
    """Whether a resource of `kind` may go from `before` to `after`; staying is always allowed."""
    return before == after or after in TRANSITIONS.get(kind, {}).get(before or "", frozenset())


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
