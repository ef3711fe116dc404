"""The AWS CLI against the server's S3 and STS. Each call of the CLI starts a Python: the slow part."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.wire import Wire

AWS = shutil.which("aws", path=str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""))


@pytest.mark.skipif(AWS is None, reason="no AWS CLI here")
def test_the_cli_puts_and_fetches(open_server: Wire, s3: Any, tmp_path: Path) -> None:
    def aws(*words: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "eu-west-3",
            "AWS_ENDPOINT_URL_S3": open_server.endpoint,
            "AWS_ENDPOINT_URL_STS": open_server.endpoint,
            "AWS_MAX_ATTEMPTS": "1",
        }
        done = subprocess.run(
            [str(AWS), *words], capture_output=True, text=True, timeout=60, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("a" * 1000)
    (folder / "deep" / "b é.csv").write_bytes(b"b" * (9 << 20))  # in parts
    s3.create_bucket(Bucket="cli-films", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    aws("s3", "sync", str(folder), "s3://cli-films/in/")
    found = s3.list_objects_v2(Bucket="cli-films")["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in found] == [
        ("in/a.csv", 1000),
        ("in/deep/b é.csv", 9437184),
    ]
    aws("s3", "cp", "--recursive", "s3://cli-films/in/", str(tmp_path / "back"))
    assert (tmp_path / "back" / "deep" / "b é.csv").read_bytes() == b"b" * (9 << 20)
    assert aws("sts", "get-caller-identity", "--query", "Account", "--output", "text") == "000000000000\n"
