"""A live server and the official clients, as tests use them; every answer is checked as it comes in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import shop
from forked import ForkedServer
from shapes import error_violations, misspelt_attributes, violations

PATIENCE = float(os.environ.get("PATIENCE", "1"))


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server process of the tests.

    Attributes:
        data: its data folder; ``data/buckets/NAME/...`` is ``s3://NAME/...`` to it.
        options: more words of its command line. environment: more variables of its environment.
        endpoint: its URL, on a port that it keeps over restarts.
    """

    data: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | ForkedServer | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    def start(self) -> Server:
        words = ["serve", "--port", str(self.port), "--data-dir", str(self.data), *self.options]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENPERSONALIZE_"))}
        environment |= self.environment
        if (
            sys.platform == "linux"
            and "PYTHONPATH" not in self.environment
            and "--workers" not in self.options
        ):
            self.process = ForkedServer(words, environment, self.log)
        else:
            command = str(Path(sys.executable).with_name("openpersonalize"))
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [command, *words],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
        end = time.monotonic() + 60 * PATIENCE
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ask it to end, as an operator would."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.kill()
            assert misspelt_attributes(self.data / "metadata.db") == []

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def put(self, location: str, text: str) -> str:
        """Write an object of the local bucket folder; returns its location ``s3://...``."""
        path = self.data / "buckets" / location.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return location

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def check_answer(http_response: Any, model: Any, **_: Any) -> None:
    """Hook of the clients: fails the running test on an answer that breaks the published model."""
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    if http_response.status_code < 300:
        found = violations(model.service_model.service_name, model.name, http_response.content)
        if "x-amzn-requestid" not in headers:
            found.append("x-amzn-requestid: missing")
    else:
        found = error_violations(headers, http_response.content)
    assert not found, f"{model.name}: {found}"


@cache
def _session() -> boto3.session.Session:
    """One for all clients: a session reads the services' models anew, which takes longer than most tests."""
    return boto3.session.Session()


@dataclass(frozen=True)
class Clients:
    """The three official clients of one region."""

    personalize: Any
    runtime: Any
    events: Any


def make_clients(endpoint: str, region: str, *, checked: bool = True) -> Clients:
    """Clients that never retry and check every answer; not `checked`, they send what the SDK would refuse."""

    def client(service: str) -> Any:
        made = _session().client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id="AKIATEST000000000000",
            aws_secret_access_key="secret",
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"total_max_attempts": 1},
                parameter_validation=checked,
            ),
        )
        made.meta.events.register("after-call", check_answer)
        return made

    return Clients(client("personalize"), client("personalize-runtime"), client("personalize-events"))


DESCRIBED = {
    "schema": "Schema",
    "dataset-group": "DatasetGroup",
    "dataset": "Dataset",
    "dataset-import-job": "DatasetImportJob",
    "data-deletion-job": "DataDeletionJob",
    "metric-attribution": "MetricAttribution",
    "event-tracker": "EventTracker",
    "filter": "Filter",
    "solution": "Solution",
    "solution-version": "SolutionVersion",
    "campaign": "Campaign",
    "batch-inference-job": "BatchInferenceJob",
    "batch-segment-job": "BatchSegmentJob",
    "dataset-export-job": "DatasetExportJob",
    "recommender": "Recommender",
}


def _pauses(limit: float) -> Iterator[float]:
    """Sleep before each look, a tenth of what was waited already: looking often takes the cores from the work
    that is waited for. Ends after `limit` seconds times `PATIENCE`."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < limit * PATIENCE:
        pause = min(0.03 + waited / 10, 0.25)
        time.sleep(pause)
        yield pause


@dataclass(frozen=True)
class Wait:
    """Polls Describe of any resource until it is what the test needs; limits in seconds."""

    personalize: Any

    def describe(self, arn: str) -> dict[str, Any]:
        resource = arn.split(":", 5)[5]
        kind = resource.split("/")[0]
        if kind == "solution" and resource.count("/") == 2:
            kind = "solution-version"
        noun = DESCRIBED[kind]
        member = noun[0].lower() + noun[1:]
        call = getattr(self.personalize, f"describe_{botocore.xform_name(noun)}")
        return dict(call(**{f"{member}Arn": arn})[member])

    def until(self, arn: str, done: Callable[[dict[str, Any]], bool], limit: float = 60) -> dict[str, Any]:
        pauses = _pauses(limit)
        while not done(described := self.describe(arn)):
            assert next(pauses, None) is not None, f"{arn} is still {described}"
        return described

    def final(self, arn: str, limit: float = 60) -> dict[str, Any]:
        """Any state that does not change by itself."""
        moving = ("PENDING", "IN_PROGRESS", "STOPPING")
        return self.until(arn, lambda d: not d["status"].endswith(moving), limit)

    def active(self, arn: str, limit: float = 60) -> dict[str, Any]:
        described = self.final(arn, limit)
        assert described["status"] == "ACTIVE", described
        return described

    def failed(self, arn: str, limit: float = 60) -> str:
        """The failureReason."""
        described = self.final(arn, limit)
        assert described["status"] == "CREATE FAILED", described
        return str(described["failureReason"])

    def updated(self, arn: str, member: str, limit: float = 60) -> dict[str, Any]:
        """Until the latest update is through."""
        described = self.until(
            arn, lambda d: not d[member]["status"].endswith(("PENDING", "IN_PROGRESS")), limit
        )
        assert described[member]["status"] == "ACTIVE", described
        return described

    def gone(self, arn: str, limit: float = 60) -> None:
        pauses = _pauses(limit)
        while True:
            try:
                described = self.describe(arn)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return
                raise
            assert next(pauses, None) is not None, f"{arn} is still {described}"


def make_shop(server: Server, region: str, name: str = "shop") -> shop.SmallShop:
    """The small shop in `region` of `server`, everything ACTIVE."""
    personalize = make_clients(server.endpoint, region).personalize
    wait = Wait(personalize)
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait.active(group)
    datasets, imports = {}, {}
    for kind in shop.TYPES:
        schema = personalize.create_schema(name=f"{name}-{kind}", schema=shop.SCHEMAS[kind])["schemaArn"]
        datasets[kind] = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        location = server.put(f"s3://{name}-{region}/{kind}.csv", shop.csv(kind))
        imports[kind] = personalize.create_dataset_import_job(
            jobName=f"{name}-{kind}", datasetArn=datasets[kind], dataSource={"dataLocation": location}
        )["datasetImportJobArn"]
    for arn in imports.values():
        wait.active(arn)
    return shop.SmallShop(region, group, datasets, imports)


def fails(code: str, call: Callable[..., Any], **request: Any) -> str:
    """The message of the error that the call must be refused with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return str(error["Message"])
