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
