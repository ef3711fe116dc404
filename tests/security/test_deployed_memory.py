"""Memory of a server with a deployed campaign after 100 MB of records of items that it does not know: the
records are bounded (docs/limits.md), and their copy while they are replaced is as large again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import Server, Wait, make_clients, make_shop

from .raw import Line, request_bytes

POPULAR = "arn:aws:personalize:::recipe/aws-popularity-count"
REGION = "us-east-1"
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("deployed") / "data").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def arns(running: Server) -> dict[str, str]:
    small = make_shop(running, REGION)
    personalize = make_clients(running.endpoint, REGION).personalize
    wait = Wait(personalize)
    solution = personalize.create_solution(name="s", datasetGroupArn=small.group, recipeArn=POPULAR)
    version = personalize.create_solution_version(solutionArn=solution["solutionArn"])["solutionVersionArn"]
    wait.active(version)
    campaign = personalize.create_campaign(name="c", solutionVersionArn=version)["campaignArn"]
    wait.active(campaign)
    return {"campaign": campaign, "items": small.datasets["Items"]}


def megabytes(server: Server) -> float:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_hundred_megabytes_of_records_of_unknown_items(running: Server, arns: dict[str, str]) -> None:
    question = {"campaignArn": arns["campaign"], "userId": "u"}
    ask = request_bytes("POST", "/recommendations", {}, json.dumps(question).encode())
    record = {"department": "books", "price": 1.5, "colour": "x" * 900, "creationTimestamp": int(time.time())}
    fields = json.dumps(record)
    sent, number, before = 0, 0, 0.0
    with Line(running.port, 60) as line:
        while sent < 105e6:
            records = [{"itemId": f"new-{number}-{k}", "properties": fields} for k in range(10)]
            document = {"datasetArn": arns["items"], "items": records}
            data = request_bytes("POST", "/items", {}, json.dumps(document).encode())
            answer = line.send(data)
            assert answer.status == 200, answer
            sent, number = sent + len(data), number + 1
            if number % 50 == 0:
                assert line.send(ask).status == 200
            if sent > 2e6 and not before:
                before = megabytes(running)
    grown = megabytes(running) - before
    print(f"{sent / 1e6:.0f} MB in {number} calls: {grown:+.0f} MB")
    assert grown < 200
