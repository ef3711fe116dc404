"""What is installed is pinned and hashed, torch included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["run", "dev", "tools", "peers"])
def test_every_requirement_has_a_version_and_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pinned = re.findall(r"^(\S+)==\S+((?:[^\n]*\\\n)*[^\n]*)", text, re.M)
    assert len(pinned) > 20
    assert [package for package, rest in pinned if "--hash=sha256:" not in rest] == []


def test_torch_is_hashed_in_the_version_that_the_project_names() -> None:
    text = (ROOT / "requirements" / "torch.txt").read_text()
    named = re.search(r'"torch==(\S+)"', (ROOT / "pyproject.toml").read_text())
    assert named is not None
    wheels = re.findall(r"^(torch-\S+\.whl) [0-9a-f]{64}$", text, re.M)
    assert len(wheels) >= 12
    assert all(wheel.startswith((f"torch-{named[1]}-", f"torch-{named[1]}+")) for wheel in wheels)
    assert text.startswith("#")
    assert text.splitlines()[0].endswith(f" {named[1]}")


def test_the_http_server_has_an_upper_bound() -> None:
    """Our connections are a protocol of it, which it may change with any minor version."""
    assert '"uvicorn>=0.54,<0.55"' in (ROOT / "pyproject.toml").read_text()


def test_the_version_of_torch_that_readme_names_is_the_one_that_is_needed() -> None:
    needed = re.findall(r'"torch==([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert re.findall(r"torch==(\S+)", (ROOT / "README.md").read_text()) == needed
