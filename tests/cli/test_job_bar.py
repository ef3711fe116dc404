from __future__ import annotations

import pytest

from openpersonalize.cli.job_bar import job_bar, stage_of


def test_a_log_says_when_a_job_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with job_bar("Training", quiet=False) as moved:
        moved(0.5, "fit", 3.0)
    assert capsys.readouterr().out.split() == ["Training", "done", "in", "0", "s"]
    with job_bar("", quiet=True) as moved:
        moved(1.0, "", None)
    assert capsys.readouterr().out == ""


def test_a_terminal_sees_a_bar_that_never_goes_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with job_bar("Training") as moved:
        moved(0.5, "fit", 65.0)
        moved(0.2, "weigh", None)
    shown = [line.split("\x1b[K")[1] for line in capsys.readouterr().out.split("\r")[1:]]
    assert [line[line.index("]") + 2 :].strip().split(" ")[0] for line in shown] == ["50%", "50%", "100%"]
    assert "1 min 05 s left" in shown[0]
    assert "fit" in shown[0]


def test_all_stages_count_where_they_are_known() -> None:
    assert stage_of({"step": "fit", "done": 1, "total": 4, "eta_seconds": 9}) == (0.25, "fit", 9)
    overall = {"done": 0.5, "eta_seconds": 60}
    assert stage_of({"step": "fit", "done": 1, "total": 4, "eta_seconds": 9, "overall": overall}) == (
        0.5,
        "fit",
        60,
    )
    assert stage_of({}) == (0.0, "", None)
