"""Which machine this is: `host_ids`."""

from __future__ import annotations

import functools
from pathlib import Path

_FILES = ("/proc/sys/kernel/random/boot_id", "/etc/machine-id", "/var/lib/dbus/machine-id")


@functools.cache
def host_ids() -> frozenset[str]:
    """Names of this machine that no other machine has: of the running kernel, which all containers on it
    share, and of the installation, which outlives a restart. Two processes with one of them in common are on
    one machine. Empty where a system has neither; its processes then never know that they share a machine."""
    found = set()
    for file in _FILES:
        try:
            found.add(Path(file).read_text("ascii").strip())
        except (OSError, UnicodeDecodeError):
            continue
    return frozenset(found - {"", "uninitialized"})
