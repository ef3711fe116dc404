"""Torch, whose wheel differs by system and index, so that it stands outside the lock: `torch.txt` has the
hashes of the wheels that we know.

    python requirements/torch_wheels.py lock VERSION   # ask the index for the wheels of all systems, add
    their hashes python requirements/torch_wheels.py install        # install the one that pip takes here, if
    its hash is known

pip's own --require-hashes would pass over a build for CPUs that another index serves under the same version,
and take the one for GPUs.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_14_0_arm64", "win_amd64")
PYTHONS = ("3.11", "3.12", "3.13")
FILE = Path(__file__).with_name("torch.txt")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
HEADER = "# Made by requirements/torch_wheels.py: wheels of torch and their SHA-256. The version:"


def wheel(version: str, platform: str, python: str) -> tuple[str, str] | None:
    """(name, SHA-256) of the wheel that pip would take; None where there is none. Nothing is downloaded."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [*PIP, "install", "-q", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--only-binary=:all:", "--implementation", "cp", "--platform", platform]
        command += ["--python-version", python, "--target", folder, "--report", str(report)]
        if subprocess.run([*command, f"torch=={version}"], check=False).returncode:
            return None
        (found,) = json.loads(report.read_text())["install"]
    name = found["download_info"]["url"].rpartition("/")[2].replace("%2B", "+")
    return name, found["download_info"]["archive_info"]["hashes"]["sha256"]


def lock(version: str) -> None:
    """Add the wheels of the index at hand; those of other versions go."""
    mine = (f"torch-{version}-", f"torch-{version}+")
    known = {name: digest for name, digest in read()[1].items() if name.startswith(mine)}
    for platform in PLATFORMS:
        for python in PYTHONS:
            found = wheel(version, platform, python)
            if found is not None:
                known[found[0]] = found[1]
    lines = [f"{name} {digest}" for name, digest in sorted(known.items())]
    FILE.write_text("\n".join([f"{HEADER} {version}", *lines, ""]))


def read() -> tuple[str, dict[str, str]]:
    """The version, and the SHA-256 of each wheel."""
    text = FILE.read_text()
    version = re.search(rf"^{re.escape(HEADER)} (\S+)$", text, re.M)
    assert version is not None
    return version[1], dict(re.findall(r"^(torch-\S+) ([0-9a-f]{64})$", text, re.M))


def install() -> None:
    """Install torch and what it needs for this system."""
    version, known = read()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*PIP, "download", "-q", "--no-deps", "-d", folder, f"torch=={version}"], check=True)
        (file,) = Path(folder).iterdir()
        digest = hashlib.sha256()
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() not in known.values():
            sys.exit(
                f"{file.name} has the SHA-256 {digest.hexdigest()}, which is not in {FILE}. If you trust the"
                f" index that it comes from, add it: {sys.executable} {__file__} lock {version}"
            )
        subprocess.run([*PIP, "install", "-q", str(file)], check=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    else:
        lock(sys.argv[2])
