"""The files of a batch job: those to read (`input_files`), and where the answers to each go."""

from __future__ import annotations

from dataclasses import replace

from ..errors import JobFailed
from ..storage.buckets import Buckets, ObjectInfo
from ..storage.junk import is_junk
from ..storage.locations import parse_location

MOST_FILES = 1000
MOST_BYTES = 1024**3
MOST_LINES = 50_000_000
"""Lines of a file."""

SUFFIX = ".out"


def input_files(
    buckets: Buckets, location: str, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> list[ObjectInfo]:
    """The files of a batch job's input, in order of their names; those of a folder are called by their path
    below it. Junk among them, and outputs of earlier jobs, are passed over.

    Raises:
        JobFailed: there is none, or more than a job may have.
    """
    files = buckets.list(location)
    wanted = str(parse_location(location))
    if not files or files[0].location != wanted:
        folder = wanted.rstrip("/") + "/"
        files = [replace(file, name=file.location.removeprefix(folder)) for file in files]
        files = [file for file in files if not is_junk(file.name) and not file.name.endswith(SUFFIX)]
    if not files:
        raise JobFailed(f"Invalid S3 input path. No objects found at {location}. {buckets.advice(location)}")
    if len(files) > most_files:
        raise JobFailed(
            f"The input has {len(files)} files; a batch job may have at most {most_files}. Join some of them."
        )
    total = sum(file.size for file in files)
    if total > most_bytes:
        raise JobFailed(
            f"The input has {total} bytes; a batch job may have at most {most_bytes}. Use several jobs."
        )
    return files


def output_location(folder: str, file: ObjectInfo) -> str:
    """Where the answers to a file go, in a folder whose location ends in "/"."""
    return f"{parse_location(folder)}{file.name}{SUFFIX}"
