"""Work folders, ``work/JOB`` in the data folder: what a job has done so far, for the run after a crash."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..settings import Settings


def work_folder(settings: Settings, job_id: str) -> Path:
    """The folder of a job, made where it is missing."""
    folder = settings.data / "work" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_work_folder(settings: Settings, job_id: str) -> None:
    """Remove the folder of a job that has ended, if it has one."""
    shutil.rmtree(settings.data / "work" / job_id, ignore_errors=True)
