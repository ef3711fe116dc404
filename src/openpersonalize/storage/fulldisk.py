"""Full disks, told from other errors: `is_full_disk`. A quota or a limit on files counts as one."""

from __future__ import annotations

import errno
import re
import sqlite3

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_IN_WORDS = re.compile(
    rf"\(os error ({'|'.join(map(str, sorted(_FULL)))}|112)\)|^\d+ requested and \d+ written$"  # 112: Windows
)


def is_full_disk(error: Exception) -> bool:
    """Whether there was no room to write. NumPy and Polars keep the number of an error to themselves and tell
    it in words."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return True
    return getattr(error, "errno", None) in _FULL or _IN_WORDS.search(str(error)) is not None
