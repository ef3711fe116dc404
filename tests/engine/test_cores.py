"""Who uses how many cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOWS = """
import sys
import threadpoolctl

def show(*_, **__):
    found = threadpoolctl.threadpool_info()
    print("threads", {one["num_threads"] for one in found if one["user_api"] == "blas"})
"""
IN_ONE = """
import uvicorn
from openpersonalize.cli.main import main

uvicorn.Server.run = show
sys.argv[1:] = ["serve", "--port", "0", "--data-dir", sys.argv[1]]
main()
"""
IN_MANY = """
import os
from openpersonalize.server.worker import SETTINGS_VARIABLE, worker_app
from openpersonalize.settings import Settings

os.environ[SETTINGS_VARIABLE] = Settings(data_dir=sys.argv[1]).to_json()
worker_app()
show()
"""


@pytest.mark.parametrize("program", [IN_ONE, IN_MANY])
def test_a_server_leaves_linear_algebra_to_the_thread_that_asks(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOWS + program, str(tmp_path / "data")],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "threads {1}" in done.stdout.splitlines(), done
