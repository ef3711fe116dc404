"""A command that waits goes on while its server is started again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from openpersonalize.cli.connection import Connection
from openpersonalize.errors import OpenPersonalizeError

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


@contextmanager
def answering(answers: list[bytes]) -> Iterator[Connection]:
    """A server that says these, one after the other, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Connection(f"http://127.0.0.1:{server.getsockname()[1]}", "us-east-1")
        thread.join(20)


def http(status: str, body: str, length: int | None = None) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length or len(body)}\r\n\r\n{body}".encode()


STOPPING = http(
    "503 Service Unavailable", '{"__type": "ServiceUnavailable", "message": "The server is stopping"}'
)


def test_it_is_stopping_or_starting() -> None:
    """So says a server that is there already, or still, and does not work."""
    active = http("200 OK", '{"solutionVersion": {"status": "ACTIVE"}}')
    doing = http("200 OK", '{"solutionVersion": {"status": "CREATE IN_PROGRESS"}}')
    torn = http("200 OK", '{"progress": {', length=1000)  # killed in the middle of its answer
    # boto3 asks a second time by itself.
    with answering([STOPPING, STOPPING, doing, STOPPING, doing, torn, active]) as connection:

        def described() -> Any:
            client = connection.client("personalize")
            return client.describe_solution_version(solutionVersionArn=ARN)["solutionVersion"]

        assert connection.follow(described, ARN, lambda progress: None) == {"status": "ACTIVE"}


def test_it_is_stopping_for_too_long() -> None:
    with answering([STOPPING]) as connection:

        def described() -> Any:
            return connection.page("/v1/jobs")

        with pytest.raises(OpenPersonalizeError, match=r"answered 503: .*stopping"):
            connection.follow(described, ARN, lambda progress: None, restart_seconds=-1)
