"""Junk files: what operating systems and Spark leave beside data in a folder, and no import means.

A file that is named by its own location is always read; only the files of a folder are passed over.
"""

from __future__ import annotations

import re

_NAME = re.compile(
    r"""
    \..*                                   # hidden: ._a.csv and .DS_Store of macOS, .part-0.csv.crc of Hadoop
    | .*\.crc                               # checksums
    | _(SUCCESS|FAILURE|committed.*|started.*|metadata|common_metadata)   # marks of Hadoop and Spark
    | (readme|license)(\.(txt|md|rst))?
    | thumbs\.db | desktop\.ini
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_FOLDER = re.compile(r"\..*|__MACOSX|_temporary|_delta_log", re.DOTALL)


def is_junk(path: str) -> bool:
    """Whether a file is junk, by its path below the folder that is read."""
    *folders, name = path.split("/")
    return _NAME.fullmatch(name) is not None or any(_FOLDER.fullmatch(folder) for folder in folders)
