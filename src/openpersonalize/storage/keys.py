"""Keys of the object store: the name under which each kind of published folder lies."""

from __future__ import annotations


def snapshot_key(job: str) -> str:
    """The snapshot that an import job writes."""
    return f"snapshots/{job}"


def parts_key(snapshot: str) -> str:
    """The rows that the import of a snapshot wrote; later snapshots may name them, too."""
    return f"parts/{snapshot.rpartition('/')[2]}"


def artifact_key(job: str) -> str:
    """The artifact that a training job writes."""
    return f"artifacts/{job}"


def erasure_key(erasure: str) -> str:
    """The ids of the users that a data deletion job removes, while it is at work."""
    return f"erasures/{erasure}"


def erased_snapshot_key(erasure: str, dataset_type: str) -> str:
    """The snapshot of a dataset that a data deletion job leaves."""
    return f"snapshots/{erasure}.{dataset_type.lower()}"


def erased_artifact_key(artifact: str, erasure: str) -> str:
    """What a data deletion job leaves of an artifact."""
    return f"artifacts/{artifact.rpartition('/')[2].partition('.')[0]}.{erasure}"
