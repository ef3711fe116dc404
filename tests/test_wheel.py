"""The wheel: built from the source, it holds what the program reads, and runs away from the source."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = """
import openpersonalize, sys
from openpersonalize.cli.main import main
assert openpersonalize.__file__.startswith(sys.argv[1]), openpersonalize.__file__
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for a build leaves folders in its source."""
    place = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "src", "*.toml", "README.md", "LICENSE", "NOTICE"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    for name in listed:
        target = place / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    subprocess.run([*command, "--no-build-isolation", "-w", place, place / "source"], check=True)
    (made,) = place.glob("*.whl")
    return made


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    there = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("openpersonalize/")}
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "openpersonalize").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - there == set()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--version",), "openpersonalize "),
        (("recipes",), "aws-user-personalization-v2"),
        (("quickstart", "none.csv"), "does not exist"),
    ],
)
def test_it_runs_away_from_the_source(wheel: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told in done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_installs_into_an_empty_environment_and_serves(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AWS_", "OPENPERSONALIZE_"))}
    rows = "".join(f"u{k % 50},i{k % 20},{1_700_000_000 + 60 * k}\n" for k in range(1500))
    (tmp_path / "events.csv").write_text("user,item,time\n" + rows)
    done = subprocess.run(
        [python, "-m", "openpersonalize", "quickstart", "events.csv", "--yes", "--port", "0"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GetRecommendations for user" in done.stdout
