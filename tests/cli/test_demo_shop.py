from __future__ import annotations

import pytest

from openpersonalize.cli.demo_shop import job_bar


def test_a_log_says_when_a_job_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with job_bar("Training", quiet=False) as moved:
        moved(0.5)
    assert capsys.readouterr().out.split() == ["Training", "done", "in", "0", "s"]
    with job_bar("", quiet=True) as moved:
        moved(1.0)
    assert capsys.readouterr().out == ""
