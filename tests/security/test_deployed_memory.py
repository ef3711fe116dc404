"""Memory of a server with a deployed campaign after 100 MB of each kind of legal calls with ever new content:
it comes to a plateau, below what docs/limits.md says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live import Server, Wait, make_clients, make_shop

from .raw import Line, request_bytes

RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
RANKING = "arn:aws:personalize:::recipe/aws-personalized-ranking"
PARAMETERS = [f"P{number}" for number in range(25)]
REGION = "us-east-1"
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With little room for newcomers and histories: what is bounded comes to its plateau early."""
    small = ("--newcomers-mb", "16", "--history-cache-mb", "16")
    server = Server(tmp_path_factory.mktemp("deployed") / "data", small).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def arns(running: Server) -> dict[str, str]:
    small = make_shop(running, REGION)
    personalize = make_clients(running.endpoint, REGION).personalize
    wait = Wait(personalize)
    campaigns = []
    for name in (RECIPE, RANKING):
        solution = personalize.create_solution(
            name="r" + name[-2:], datasetGroupArn=small.group, recipeArn=name
        )
        version = personalize.create_solution_version(**only_arn(solution))["solutionVersionArn"]
        wait.active(version)
        made = personalize.create_campaign(name="c" + name[-2:], solutionVersionArn=version)
        campaigns.append(made["campaignArn"])
        wait.active(campaigns[-1])
    tracker = personalize.create_event_tracker(name="t", datasetGroupArn=small.group)["trackingId"]
    rules = [f"EXCLUDE ItemID WHERE Items.DEPARTMENT IN (${name})" for name in PARAMETERS]
    wide = personalize.create_filter(
        name="wide", datasetGroupArn=small.group, filterExpression=" | ".join(rules)
    )["filterArn"]
    wait.active(wide)
    datasets = {"items": small.datasets["Items"], "users": small.datasets["Users"]}
    return {"campaign": campaigns[0], "ranking": campaigns[1], "tracker": tracker, "filter": wide, **datasets}


def only_arn(made: dict[str, Any]) -> dict[str, str]:
    return {"solutionArn": made["solutionArn"]}


def megabytes(server: Server) -> float:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


Call = tuple[str, dict[str, Any]]


def some_events(arns: dict[str, str], number: int) -> Call:
    """Of ever new users with ever new items, that were shown among others."""
    events = [
        {
            "eventType": "view",
            "sentAt": int(time.time()) - number % 1000,
            "itemId": f"made-{number}-{k}",
            "impression": [f"made-{number}-{k}-{place}" for place in range(25)],
            "properties": json.dumps({"a": "x" * 700}),
        }
        for k in range(10)
    ]
    body = {"trackingId": arns["tracker"], "userId": f"n-{number}", "sessionId": f"s{number}"}
    return "/events", {**body, "eventList": events}


def events_of_one_user(arns: dict[str, str], number: int) -> Call:
    """An endless history."""
    path, body = some_events(arns, number)
    return path, {**body, "userId": "endless", "sessionId": "s"}


def records_of_items(arns: dict[str, str], number: int) -> Call:
    """Of items that the model does not know."""
    record = {"department": "books", "price": 1.5, "colour": "x" * 900, "creationTimestamp": int(time.time())}
    records = [{"itemId": f"new-{number}-{k}", "properties": json.dumps(record)} for k in range(10)]
    return "/items", {"datasetArn": arns["items"], "items": records}


def records_of_users(arns: dict[str, str], number: int) -> Call:
    """Of users that the model does not know."""
    record = json.dumps({"country": "x" * 900, "age": 3})
    records = [{"userId": f"new-{number}-{k}", "properties": record} for k in range(10)]
    return "/users", {"datasetArn": arns["users"], "users": records}


def values_of_a_filter(arns: dict[str, str], number: int) -> Call:
    """Ever new values of 25 parameters."""
    values = {name: f'"{number}-{name}-{"v" * 960}"' for name in PARAMETERS}
    body = {"campaignArn": arns["campaign"], "userId": "u1", "filterArn": arns["filter"]}
    return "/recommendations", {**body, "filterValues": values}


def rankings_of_unknown_items(arns: dict[str, str], number: int) -> Call:
    """Lists of ever new items, by ever new users."""
    listed = [f"{number}-{place}-{'r' * 200}" for place in range(500)]
    body = {"campaignArn": arns["ranking"], "userId": f"r-{number}", "inputList": listed}
    return "/personalize-ranking", body


def contexts_of_new_users(arns: dict[str, str], number: int) -> Call:
    """Ever new values of a context, by ever new users."""
    context = {f"C{place}": f"{number}-{place}-{'c' * 900}" for place in range(20)}
    return "/recommendations", {
        "campaignArn": arns["campaign"],
        "userId": f"c-{number}",
        "context": context,
    }


def explanations(arns: dict[str, str], number: int) -> Call:
    """Of ever new items to ever new users, as a `read` key may ask for."""
    values = {name: f'"{number}-{name}-{"v" * 960}"' for name in PARAMETERS}
    body = {
        "campaignArn": arns["campaign"],
        "userId": f"e-{number}",
        "explainItemId": f"{number}-{'i' * 240}",
    }
    return "/v1/explain", {**body, "filterArn": arns["filter"], "filterValues": values}


@pytest.mark.parametrize(
    "call",
    [
        some_events,
        events_of_one_user,
        records_of_items,
        records_of_users,
        values_of_a_filter,
        rankings_of_unknown_items,
        contexts_of_new_users,
        explanations,
    ],
)
def test_a_hundred_megabytes_of_calls_come_to_a_plateau(
    running: Server, arns: dict[str, str], call: Callable[[dict[str, str], int], Call]
) -> None:
    question = {"campaignArn": arns["campaign"], "userId": "u"}
    ask = request_bytes("POST", "/recommendations", {}, json.dumps(question).encode())
    at = [megabytes(running)]
    sent = number = 0
    with Line(running.port, 60) as line:
        for upto in (50e6, 100e6):
            while sent < upto:
                path, document = call(arns, number)
                data = request_bytes("POST", path, {}, json.dumps(document).encode())
                answer = line.send(data)
                assert answer.status == 200, answer
                sent, number = sent + len(data), number + 1
                if number % 50 == 0:
                    assert line.send(ask).status == 200
            at.append(megabytes(running))
    print(f"{call.__name__}: {at[1] - at[0]:+.0f} MB after 50 MB, {at[2] - at[0]:+.0f} MB after 100 MB")
    assert at[2] - at[0] < 200
    assert at[2] - at[1] < 70  # of records, a copy that is being replaced


def test_an_endless_history_comes_to_a_plateau(running: Server, arns: dict[str, str]) -> None:
    """Of one user, with ever new items; the newcomers' room is full after a tenth of it."""
    at, sent, number = [megabytes(running)], 0, 0
    with Line(running.port, 60) as line:
        for upto in (100e6, 200e6, 300e6):
            while sent < upto:
                path, document = events_of_one_user(arns, 10_000_000 + number)
                data = request_bytes("POST", path, {}, json.dumps(document).encode())
                answer = line.send(data)
                assert answer.status == 200, answer
                sent, number = sent + len(data), number + 1
            at.append(megabytes(running))
    print("an endless history: " + ", ".join(f"{one - at[0]:+.0f} MB" for one in at[1:]))
    assert at[3] - at[1] < 70  # a copy that is being replaced
