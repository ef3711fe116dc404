"""A command that waits goes on while its server is started again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from openpersonalize.cli.connection import Connection

ARN = "arn:aws:personalize:us-east-1:000000000000:solution/films/1"


@pytest.fixture
def away() -> Iterator[Connection]:
    """A server that is being started again: its port is taken, nobody answers there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Connection(f"http://127.0.0.1:{taken.getsockname()[1]}", "us-east-1")


def test_it_is_away_for_a_moment(away: Connection) -> None:
    answers = iter([{"status": "CREATE IN_PROGRESS"}, None, {"status": "ACTIVE"}])

    def described() -> Any:
        answer = next(answers)
        return answer or away.client("personalize").describe_solution_version(solutionVersionArn=ARN)

    # The first answer is followed by a look at the job, which nobody answers either.
    assert away.follow(described, ARN, lambda progress: None) == {"status": "ACTIVE"}


def test_it_stays_away(away: Connection) -> None:
    def described() -> Any:
        return away.client("personalize").describe_solution_version(solutionVersionArn=ARN)

    with pytest.raises(EndpointConnectionError):
        away.follow(described, ARN, lambda progress: None, restart_seconds=0.5)
