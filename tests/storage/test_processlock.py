from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from openpersonalize.storage.processlock import ProcessLock, is_released

HOLD = """
import sys
from pathlib import Path
from openpersonalize.storage.processlock import ProcessLock
lock = ProcessLock.take(Path(sys.argv[1]))
print(lock.name, flush=True)
sys.stdin.read()
"""


def test_present_until_closed(tmp_path: Path) -> None:
    one, other = ProcessLock.take(tmp_path / "who"), ProcessLock.take(tmp_path / "who")
    assert not is_released(tmp_path / "who", one.name)
    one.close()
    assert is_released(tmp_path / "who", one.name)
    assert not is_released(tmp_path / "who", other.name)
    other.close()
    assert is_released(tmp_path / "who", "never-there")


def test_present_until_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert not is_released(tmp_path, name)
        process.kill()
    assert is_released(tmp_path, name)
    file = tmp_path / f"{name}.lock"
    assert file.exists()
    long_ago = time.time() - 3600
    os.utime(file, (long_ago, long_ago))
    living = ProcessLock.take(tmp_path)
    assert not file.exists()
    assert not is_released(tmp_path, living.name)
    living.close()
