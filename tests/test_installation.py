"""An installation opens everything of a data folder, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.live_log import CLICK, GROUP
from openpersonalize.errors import StartError
from openpersonalize.installation import Installation
from openpersonalize.settings import read_settings


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    settings = read_settings({"data_dir": str(tmp_path / "data")}, {})
    for expected in (1, 2):
        installation = Installation.open(settings)
        assert installation.log.append(GROUP, [CLICK._replace(time=expected)]).result() == expected
        installation.recommendations.add(f"RID-{expected}", "arn", ["a"], None)
        installation.close()
    installation = Installation.open(settings)
    assert installation.recommendations.find("RID-1") is not None
    assert installation.settings.data == (tmp_path / "data").resolve()
    installation.close()


def test_one_damaged_store_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "recommendations.db").write_bytes(b"x" * 5000)
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    with pytest.raises(StartError, match=r"recommendations\.db is damaged"):
        Installation.open(settings)
    (tmp_path / "recommendations.db").unlink()
    Installation.open(settings).close()
