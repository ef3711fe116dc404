"""The folder deploy: its metrics and settings exist, and its files are what their readers take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from openpersonalize import errors, telemetry
from openpersonalize.settings import SETTINGS
from server.wire import open_metadata_only, settings_for

DEPLOY = Path(__file__).parents[1] / "deploy"


def known_metrics(folder: Path) -> set[str]:
    """Names of all samples that the page of metrics can have."""
    services = open_metadata_only(settings_for(folder))
    try:
        page = services.metrics_page().decode()
    finally:
        services.close()
    found = set()
    for family in text_string_to_metric_families(page):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {f"{family.name}{end}" for end in ends}
    return found


def expressions() -> Iterator[str]:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    for graph in board["panels"]:
        yield from (target["expr"] for target in graph["targets"])
    yield from re.findall(r"^ +expr: (.+)$", (DEPLOY / "alerts.yml").read_text(), re.MULTILINE)


def test_every_metric_of_the_dashboard_and_the_alerts_exists(tmp_path: Path) -> None:
    known = known_metrics(tmp_path)
    named = {name for text in expressions() for name in re.findall(r"openpersonalize_\w+", text)}
    assert len(named) > 12
    assert named <= known
    codes = {
        code
        for text in expressions()
        for found in re.findall(r'[{ ]code!?=~?"([\w|]+)"', text)
        for code in found.split("|")
    }
    assert "ThrottlingException" in codes
    assert codes <= {telemetry.OK, *(error.code for error in vars(errors).values() if hasattr(error, "code"))}


@pytest.mark.parametrize("file", ["openpersonalize.service", "Containerfile"])
def test_every_variable_is_a_setting(file: str) -> None:
    named = set(re.findall(r"OPENPERSONALIZE_(\w+)=", (DEPLOY / file).read_text()))
    assert named
    assert named <= {setting.name.upper() for setting in SETTINGS}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "openpersonalize.service"
    text = (DEPLOY / unit.name).read_text()
    unit.write_text(text.replace("/opt/openpersonalize/bin/openpersonalize", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_container_copies_is_there() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (DEPLOY.parent / name).exists()
    assert (DEPLOY.parent / "requirements/run.txt").exists()
