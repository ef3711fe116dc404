"""``openpersonalize sandbox``: a program that makes a role, a parameter and a rule beside a dataset group."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from click.testing import CliRunner

from live import PATIENCE, free_port
from openpersonalize.cli.main import main
from openpersonalize.cli.moto_endpoints import moto_endpoints
from openpersonalize.errors import StartError
from security.raw import request_bytes, send

pytest.importorskip("moto")

ACCOUNT = "123412341234"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
PAGE = "https://shop.example"
"""The origin of a page that may call."""
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonPersonalizeFullAccess"


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that runs, and the environment that `env` prints for it."""

    process: subprocess.Popen[str]
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        """A client as a program makes it in that environment: of its variables alone."""
        names = {"s3": "S3", "sts": "STS", "personalize": "PERSONALIZE"}
        endpoint = self.environment.get(f"AWS_ENDPOINT_URL_{names.get(service, service)}")
        return boto3.session.Session().client(
            service,
            region_name=self.environment["AWS_REGION"],
            endpoint_url=endpoint or self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    ports = [f"--port={free_port()}", f"--moto-port={free_port()}"]
    words = [sys.executable, "-m", "openpersonalize", "sandbox", *ports, "--account", ACCOUNT]
    words += ["--allowed-origins", PAGE]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENPERSONALIZE_"))}
    folder = tmp_path_factory.mktemp("sandbox")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*words, "--data-dir", str(folder / "data")], stdout=log, stderr=subprocess.STDOUT, env=clean
        )
    told = CliRunner().invoke(main, ["env", "--sandbox", "--shell", "sh", *ports], env={"AWS_PROFILE": None})
    exported = dict(
        line.removeprefix("export ").split("=", 1)
        for line in told.stdout.splitlines()
        if line.startswith("export ")
    )
    running = Sandbox(process, exported)  # type: ignore[arg-type]
    end = time.monotonic() + 60 * PATIENCE
    while not answers(exported["AWS_ENDPOINT_URL_PERSONALIZE"] + "/health"):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.1)
    yield running
    process.kill()
    process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def test_programs_find_both_halves(sandbox: Sandbox) -> None:
    assert sandbox.client("sts").get_caller_identity()["Account"] == ACCOUNT
    iam = sandbox.client("iam")
    role = iam.create_role(RoleName="import", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    assert role == f"arn:aws:iam::{ACCOUNT}:role/import"
    iam.attach_role_policy(RoleName="import", PolicyArn=POLICY)
    personalize = sandbox.client("personalize")
    group = personalize.create_dataset_group(name="shop")["datasetGroupArn"]
    assert group.split(":")[4] == ACCOUNT
    ssm = sandbox.client("ssm")
    ssm.put_parameter(Name="/shop/group", Value=group, Type="String")
    assert ssm.get_parameter(Name="/shop/group")["Parameter"]["Value"] == group
    events = sandbox.client("events")
    events.put_rule(Name="daily", ScheduleExpression="rate(1 day)", State="DISABLED")
    events.enable_rule(Name="daily")
    assert events.describe_rule(Name="daily")["State"] == "ENABLED"
    sandbox.client("s3").create_bucket(Bucket="files")
    assert [one["Name"] for one in sandbox.client("s3").list_buckets()["Buckets"]] == ["files"]


def test_what_moto_does_not_play_reaches_nobody_else(sandbox: Sandbox) -> None:
    """Every other service is sent to the same address, on loopback, with made up credentials."""
    assert sandbox.environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert sandbox.environment["AWS_ACCESS_KEY_ID"] == "local"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:5000"}, 200),
        ({"Origin": PAGE}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Forwarded-For": "203.0.113.7"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_moto_is_for_programs_of_this_machine(
    sandbox: Sandbox, method: str, headers: dict[str, str], status: int
) -> None:
    """moto itself lets any page of any site create and run what it plays."""
    port = int(sandbox.environment["AWS_ENDPOINT_URL"].rpartition(":")[2].partition("/")[0])
    preflight = {"Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
    path = "/moto-api/data.json" if method == "GET" else "/"
    assert send(port, request_bytes(method, path, headers | preflight)).status == status


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_nothing_is_left_when_it_is_killed(sandbox: Sandbox) -> None:
    """The last: whatever ends the command, the other services end with it."""
    address = sandbox.environment["AWS_ENDPOINT_URL"]
    assert answers(address)
    sandbox.process.send_signal(signal.SIGKILL)
    sandbox.process.wait()
    end = time.monotonic() + 20 * PATIENCE
    while answers(address):
        assert time.monotonic() < end, "moto goes on without its sandbox"
        time.sleep(0.1)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with moto_endpoints(0, ACCOUNT) as address:
        port = int(address.rpartition(":")[2])
        with pytest.raises(StartError, match="choose another --moto-port"), moto_endpoints(port, ACCOUNT):
            pass
