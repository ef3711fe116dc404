from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openpersonalize.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("USER_ID\n1\n")
    return tmp_path


def run(source: str, target: str) -> Result:
    return CliRunner().invoke(main, ["cp", source, target, "--data-dir", "data"])


@pytest.mark.parametrize(
    ("target", "path"), [("s3://bucket/x/b.csv", "bucket/x/b.csv"), ("s3://bucket/x/", "bucket/x/a.csv")]
)
def test_a_file_into_the_stand_in_for_s3(folder: Path, target: str, path: str) -> None:
    result = run("a.csv", target)
    assert result.exit_code == 0, result.output
    assert (folder / "data" / "buckets" / path).read_text() == "USER_ID\n1\n"


def test_a_folder_that_no_server_uses_is_told(folder: Path) -> None:
    assert "No server has used" in run("a.csv", "s3://bucket/k.csv").output
    (folder / "data" / "format").write_text("1\n")
    assert "No server has used" not in run("a.csv", "s3://bucket/k.csv").output


def test_a_folder_that_cannot_be_written_is_one_sentence(folder: Path) -> None:
    (folder / "data").write_text("a file\n")
    result = run("a.csv", "s3://bucket/k.csv")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.output.startswith("openpersonalize: ")


@pytest.mark.parametrize(("target", "path"), [("b.csv", "b.csv"), ("out/", "out/k.csv"), (".", "k.csv")])
def test_and_back(folder: Path, target: str, path: str) -> None:
    run("a.csv", "s3://bucket/k.csv")
    result = run("s3://bucket/k.csv", target)
    assert result.exit_code == 0, result.output
    assert (folder / path).read_text() == "USER_ID\n1\n"


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("none.csv", "s3://bucket/k", "not a file"),
        ("s3://bucket/none", "b.csv", "no object"),
        ("a.csv", "s3://bucket/../../x", "Invalid Data location"),
        ("a.csv", "b.csv", "s3://BUCKET/KEY"),
        ("s3://a/b", "s3://c/d", "s3://BUCKET/KEY"),
    ],
)
def test_mistakes(folder: Path, source: str, target: str, sentence: str) -> None:
    result = run(source, target)
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output
