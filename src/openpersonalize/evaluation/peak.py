"""The most memory this process has held since a moment, where the system tells it (Linux)."""

from __future__ import annotations

from pathlib import Path

_SELF = Path("/proc/self")


def forget_peak() -> None:
    """Let `peak_bytes` count from now on; where the system has no such thing, nothing happens."""
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:  # read-only or not there: `peak_bytes` says what it knows
        return


def peak_bytes() -> int | None:
    """Bytes of resident memory at most since `forget_peak`; None where the system does not tell."""
    try:
        lines = (_SELF / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
