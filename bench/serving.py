"""GetRecommendations over HTTP, signed, against a handler that does nothing on the same HTTP server.

One server process, 16 connections, 25 results, a catalogue of 10,000 items that was imported, trained and
deployed through the API. Kinds of request: plain; with a filter on item columns; with the filter that leaves
out what the user bought; plain where nothing is kept (each user asked once); and half of both. The load
generator has a process of its own; on a machine with two cores it and the server share them, and the floor is
measured in the same way, a round of each in turn.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.config import Config

from .load import Outcome, load
from .results import Row, row
from .shop import avro, draw
from .signing import Signer

REGION = "us-east-1"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
BUCKET = "bench"
ITEMS, USERS, INTERACTIONS = 10_000, 20_000, 250_000
CONNECTIONS, ROUNDS, SECONDS = 16, 5, 4.0
TARGET_RATE, TARGET_P99 = 1500.0, 25.0
TARGET_RATIO = 0.25

STATIC = "INCLUDE ItemID WHERE Items.PRICE < 20"
NOT_BOUGHT = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")'


@dataclass(frozen=True)
class Server:
    """A running server: its folder, port, an administrator's key, and its process."""

    data: Path
    port: int
    key: str
    secret: str
    process: int

    def client(self, service: str) -> Any:
        """A boto3 client for one of the services."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def signer(self) -> Signer:
        """Signs requests ahead; good for fifteen minutes."""
        return Signer(self.key, self.secret, REGION, f"127.0.0.1:{self.port}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server process on a data folder with access keys; stopped at the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENPERSONALIZE_"))}
    program = [sys.executable, "-m", "openpersonalize"]
    made = subprocess.run(
        [*program, "key", "create", "--role", "admin", "--data-dir", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout
    key, secret = (
        _found(rf"{label}=(\S+)", made) for label in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    )
    port = free_port()
    with (
        (folder / "server.log").open("wb") as log,
        running(
            [*program, "serve", "--port", str(port), "--data-dir", str(folder)],
            f"http://127.0.0.1:{port}/health",
            log,
            environment,
        ) as process,
    ):
        yield Server(folder, port, key, secret, process)


@contextmanager
def running(command: list[str], health: str, log: Any, environment: dict[str, str]) -> Iterator[int]:
    """A process that answers at `health` before the block begins, and is stopped after it; gives its id."""
    process = subprocess.Popen(
        command, stdout=log, stderr=log, env=environment, cwd=Path(__file__).parent.parent
    )
    try:
        end = time.monotonic() + 60
        while not _answers(health):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(command)} does not answer at {health}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"{pattern!r} is not in {text!r}")
    return found.group(1)


def wait(describe: Any, member: str, limit: float = 1200, **arn: str) -> dict[str, Any]:
    """Poll a Describe call until the resource rests; raises unless it is ACTIVE."""
    end = time.monotonic() + limit
    while True:
        resource: dict[str, Any] = describe(**arn)[member]
        if resource["status"] == "ACTIVE":
            return resource
        if "FAILED" in resource["status"] or time.monotonic() > end:
            raise RuntimeError(f"{arn} is {resource['status']}: {resource.get('failureReason')}")
        time.sleep(0.1)


@dataclass(frozen=True)
class Deployed:
    """What the benchmark asks: a campaign and two filters."""

    campaign: str
    static: str
    not_bought: str
    training_seconds: float


def deploy(server: Server, *, items: int, users: int, interactions: int, recipe: str = RECIPE) -> Deployed:
    """Draw a shop, import it, train, deploy and make the filters, all through the API."""
    draw(items=items, users=users, interactions=interactions).write(server.data / "buckets" / BUCKET)
    personalize = server.client("personalize")
    group = personalize.create_dataset_group(name="bench")["datasetGroupArn"]
    wait(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=group)
    for kind in ("Interactions", "Items"):
        schema = personalize.create_schema(name=f"bench-{kind}", schema=avro(kind))["schemaArn"]
        dataset = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
        )["datasetArn"]
        wait(personalize.describe_dataset, "dataset", datasetArn=dataset)
        job = personalize.create_dataset_import_job(
            jobName=f"bench-{kind}",
            datasetArn=dataset,
            dataSource={"dataLocation": f"s3://{BUCKET}/{kind}.csv"},
        )["datasetImportJobArn"]
        wait(personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job)
    filters = [
        personalize.create_filter(name=name, datasetGroupArn=group, filterExpression=expression)["filterArn"]
        for name, expression in (("cheap", STATIC), ("not-bought", NOT_BOUGHT))
    ]
    solution = personalize.create_solution(
        name="bench", datasetGroupArn=group, recipeArn=recipe, performAutoTraining=False
    )["solutionArn"]
    wait(personalize.describe_solution, "solution", solutionArn=solution)
    begun = time.monotonic()
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait(personalize.describe_solution_version, "solutionVersion", solutionVersionArn=version)
    trained = time.monotonic() - begun
    campaign = personalize.create_campaign(name="bench", solutionVersionArn=version)["campaignArn"]
    wait(personalize.describe_campaign, "campaign", campaignArn=campaign)
    return Deployed(campaign, filters[0], filters[1], trained)


@contextmanager
def floor(folder: Path) -> Iterator[int]:
    """The do-nothing server, by its port."""
    port = free_port()
    with (
        (folder / "floor.log").open("wb") as log,
        running(
            [sys.executable, "-m", "bench.floor", str(port)],
            f"http://127.0.0.1:{port}/",
            log,
            dict(os.environ),
        ),
    ):
        yield port


def run(rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    """All of it; about two minutes and the training."""
    with (
        tempfile.TemporaryDirectory(prefix="openpersonalize-bench-") as folder,
        serving(Path(folder) / "data") as server,
        floor(Path(folder)) as floor_port,
    ):
        deployed = deploy(server, items=ITEMS, users=USERS, interactions=INTERACTIONS)
        print(f"trained in {deployed.training_seconds:.1f} s")
        return measure(server, deployed, floor_port, rounds, seconds)


def measure(server: Server, deployed: Deployed, floor_port: int, rounds: int, seconds: float) -> list[Row]:
    """A round of each kind of request and of the floor in turn; medians over the rounds."""
    rng = np.random.default_rng(0)
    crowd = [f"user-{user}" for user in rng.permutation(USERS).tolist()]
    warm, plain = crowd[:1000], {"campaignArn": deployed.campaign, "numResults": 25}
    kinds: dict[str, dict[str, Any]] = {
        "plain": plain,
        "static filter": {**plain, "filterArn": deployed.static},
        "not-already-bought filter": {**plain, "filterArn": deployed.not_bought},
    }
    seen: dict[str, list[Outcome]] = {name: [] for name in ("floor", *kinds, "cold", "mixed")}
    signer = server.signer()
    floor_requests = signer.requests("/recommendations", [{**plain, "userId": user} for user in warm])
    path = "/recommendations"
    requests = {
        name: signer.requests(path, [{**body, "userId": user} for user in warm])
        for name, body in kinds.items()
    }
    fresh = iter(crowd[1000:])
    cpu: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        seen["floor"].append(load(floor_port, floor_requests, connections=CONNECTIONS, seconds=seconds))
        for name, one in requests.items():
            # Once for every user before: what can be kept is kept.
            _sound(load(server.port, one, connections=CONNECTIONS, seconds=60, passes=1))
            before = cpu_seconds(server.process)
            outcome = _sound(load(server.port, one, connections=CONNECTIONS, seconds=seconds))
            seen[name].append(outcome)
            cpu[name].append((cpu_seconds(server.process) - before) / outcome.answers * 1e6)
        cold = signer.requests(path, [{**plain, "userId": next(fresh)} for _ in range(2000)])
        seen["cold"].append(_sound(load(server.port, cold, connections=CONNECTIONS, seconds=60, passes=1)))
        half = signer.requests(path, [{**plain, "userId": next(fresh)} for _ in range(1500)])
        mixed = [one for pair in zip(half, requests["plain"], strict=False) for one in pair]
        seen["mixed"].append(_sound(load(server.port, mixed, connections=CONNECTIONS, seconds=60, passes=1)))
    return _rows(seen) + [
        row(f"{TITLES[name]}: CPU of the server for one answer", statistics.median(used), "us")
        for name, used in cpu.items()
        if all(used)
    ]


def cpu_seconds(process: int) -> float:
    """CPU time that a process has used, all threads; 0 where the system has no ``/proc``."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _sound(outcome: Outcome) -> Outcome:
    if outcome.errors or not outcome.answers:
        raise RuntimeError(
            f"{outcome.errors} of {outcome.answers} answers were errors: {outcome.first_error}"
        )
    return outcome


TITLES = {
    "plain": "GetRecommendations, scores kept (100 % of requests)",
    "static filter": "GetRecommendations, filter on item columns, scores kept (100 %)",
    "not-already-bought filter": "GetRecommendations, not-already-bought filter, scores kept (100 %)",
    "mixed": "GetRecommendations, scores kept for half of the requests (50 %)",
    "cold": "GetRecommendations, nothing kept (0 %)",
}


def _rows(seen: dict[str, list[Outcome]]) -> list[Row]:
    def middle(name: str, of: str) -> float:
        return statistics.median(getattr(outcome, of) for outcome in seen[name])

    base = middle("floor", "rate")
    rows = [row("floor: do-nothing handler, 16 connections", base, "requests/s")]
    for name, title in TITLES.items():
        rows.append(row(f"{title}: rate", middle(name, "rate"), "requests/s", floor=base, target=TARGET_RATE))
        rows.append(row(f"{title}: p50", middle(name, "p50"), "ms", floor=middle("floor", "p50")))
        rows.append(
            row(
                f"{title}: p99",
                middle(name, "p99"),
                "ms",
                floor=middle("floor", "p99"),
                target=TARGET_P99,
                lower=True,
            )
        )
    best = middle("plain", "rate") / base
    rows.append(
        row("GetRecommendations, scores kept: share of the floor's rate", best, "ratio", target=TARGET_RATIO)
    )
    return rows
