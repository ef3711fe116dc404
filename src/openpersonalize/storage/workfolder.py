"""Work folders, ``work/JOB`` in the data folder: what a job has done so far, for the run after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from ..settings import Settings


def work_folder(settings: Settings, job_id: str) -> Path:
    """The folder of a job, made where it is missing."""
    folder = settings.data / "work" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sweep_work_folders(settings: Settings, unfinished: Callable[[Collection[str]], Collection[str]]) -> None:
    """Remove the folders that servers left which were killed just after a job's end.

    Args:
        unfinished: which of some jobs have not ended. A folder is there after its job only, so one that is
            found now belongs to a job that is known now.
    """
    folder = settings.data / "work"
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there:
        for job_id in there.difference(unfinished(there)):
            remove_work_folder(settings, job_id)


def remove_work_folder(settings: Settings, job_id: str) -> None:
    """Remove the folder of a job that has ended, if it has one."""
    shutil.rmtree(settings.data / "work" / job_id, ignore_errors=True)
