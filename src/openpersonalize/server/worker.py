"""The application of one of several server processes (``serve --workers N``): `worker_app`."""

from __future__ import annotations

import multiprocessing
import os
import threading

from ..engine.cores import calculate_alone
from ..logs import configure_logging
from ..settings import Settings
from .app import Application, create_app

SETTINGS_VARIABLE = "OPENPERSONALIZE_WORKER_SETTINGS"
"""Holds the settings, as JSON, for the worker processes of ``serve --workers N``."""

ORPHANED = 70
"""Exit code of a worker process whose supervisor was killed."""


def worker_app() -> Application:
    """The application of a worker process, whose settings are in the environment."""
    _end_with_supervisor()
    settings = Settings.from_json(os.environ[SETTINGS_VARIABLE])
    configure_logging(settings.log_level, settings.log_format, settings.access_log)
    calculate_alone()
    return create_app(settings)


def _end_with_supervisor() -> None:
    """Let this process end at once when the one that started it is killed.

    Nobody could stop it any more, and it would keep the port and the data folder from the next server. What
    it has acknowledged is on the disk.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def watch() -> None:
        supervisor.join()
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="supervisor-watcher", daemon=True).start()
