"""Programs written for Amazon Personalize run as they are: only the environment names the server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shop
from live import Server

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def environment(server: Server) -> dict[str, str]:
    """What ``eval "$(openpersonalize env)"`` leaves in a shell that knew nothing of AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [str(Path(sys.executable).with_name("openpersonalize")), "env", "--shell", "sh"]
    lines = subprocess.run(
        [*command, "--port", str(server.port), "--region", "journeys-1"],
        env=own,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    exported = re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE)
    assert {"AWS_REGION", "AWS_ENDPOINT_URL_PERSONALIZE_EVENTS"} <= {name for name, _ in exported}
    return own | dict(exported)


def _plain_interactions() -> str:
    """The small shop's interactions with three columns, as the oldest tutorials have them."""
    rows = [line.split(",")[:3] for line in shop.csv("Interactions").splitlines()]
    return "".join(",".join(row) + "\n" for row in rows)


def _run(program: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_the_getting_started_sequence(server: Server, environment: dict[str, str]) -> None:
    location = server.put("s3://journeys/first.csv", _plain_interactions())
    printed = _run([str(HERE / "first_campaign.py"), location, shop.USERS[1], shop.ITEMS[7]], environment)
    assert printed.endswith("cleaned up\n")


def test_the_example_of_the_readme_in_order_and_twice(environment: dict[str, str], tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    before = page.partition("```python")[0]
    (upload,) = re.findall(r"^openpersonalize (cp \S+ s3://\S+)$", before, re.MULTILINE)
    _, file, target = upload.split()
    (tmp_path / file).write_text(_plain_interactions())
    environment = environment | {"AWS_REGION": "readme-1", "AWS_DEFAULT_REGION": "readme-1"}
    _run(["-m", "openpersonalize", "cp", str(tmp_path / file), target], environment)
    lines = _run(["-c", f"{example}\ntime.sleep(1)\n{example}"], environment)
    assert len(re.findall(r"^item-\d\d 0\.\d+$", lines, re.MULTILINE)) == 10
