"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_memory() -> int | None:
    """Bytes: what the system has available and the container allows; None where neither can be known."""
    known = [value for value in (_available(), *(_left(*pair) for pair in _LIMITS)) if value is not None]
    return min(known, default=None)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left(limit: str, used: str) -> int | None:
    try:
        most, now = Path(limit).read_text().strip(), Path(used).read_text().strip()
    except OSError:
        return None
    return int(most) - int(now) if most.isdigit() else None
