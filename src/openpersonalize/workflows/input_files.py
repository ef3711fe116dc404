"""Input files of a job: what a location in the callers' buckets means, without junk (`found_files`)."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from ..datasets import problems as reasons
from ..engine.task import Task
from ..errors import JobFailed
from ..storage.buckets import Buckets, ObjectInfo
from ..storage.junk import is_junk
from ..storage.locations import parse_location

_NAMED = 10
"""Junk files that a job's log names."""


def found_files(task: Task, buckets: Buckets, location: str) -> list[ObjectInfo]:
    """The files to read, in order of their names; those of a folder are called by their path below it, and
    junk files among them are passed over.

    Raises:
        JobFailed: there are none.
    """
    files = buckets.list(location)
    wanted = str(parse_location(location))
    if not files or files[0].location != wanted:
        folder = wanted.rstrip("/") + "/"
        found = [replace(file, name=file.location.removeprefix(folder)) for file in files]
        files = [file for file in found if not is_junk(file.name)]
        if len(files) < len(found):
            task.line(_passed_over([file.name for file in found if is_junk(file.name)]))
    if not files:
        raise JobFailed(reasons.nothing_found(location, buckets.advice(location)))
    return files


def open_file(buckets: Buckets, file: ObjectInfo) -> BinaryIO:
    """A found file, from its beginning.

    Raises:
        JobFailed: it has gone meanwhile.
    """
    try:
        return buckets.open(file.location)
    except FileNotFoundError as error:
        advice = buckets.advice(file.location)
        raise JobFailed(reasons.nothing_found(file.location, advice)) from error


def _passed_over(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"passed over, no data: {', '.join(name[:100] for name in names[:_NAMED])}{more}"
