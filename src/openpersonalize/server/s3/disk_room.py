"""Room on the disk that uploads leave to the rest of the server, `DiskRoom`: a key for buckets shall not be
able to stop the writing of events and metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

from .faults import Fault

RESERVE = 256 << 20
"""Bytes that uploads leave free."""


class DiskRoom:
    """The free space of the disk that holds a folder."""

    def __init__(self, folder: Path, reserve: int = RESERVE) -> None:
        """Args:
        reserve: bytes that stay free.
        """
        self._folder = folder
        self._reserve = reserve

    def check(self, size: int = 0) -> None:
        """Return when `size` bytes more may be written.

        Raises:
            Fault: ServiceUnavailable.
        """
        if shutil.disk_usage(self._folder).free - size < self._reserve:
            raise Fault(
                "ServiceUnavailable",
                "The disk of the server's data folder is nearly full, and what is left is kept for events and"
                " resources: delete objects, or abort uploads.",
            )
