"""S3 of a live server: without keys, and with a key for each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from openpersonalize.access.keys import ROLES, KeyRing
from server.wire import Wire, wire

Client = Callable[..., Any]


@pytest.fixture(scope="package")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server without keys."""
    with wire(tmp_path_factory.mktemp("s3"), {}, s3_domain="s3.test") as running:
        yield running


@pytest.fixture(scope="package")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, dict[str, Any]]]:
    """A server with keys, and the credentials of each role."""
    folder = tmp_path_factory.mktemp("s3-guarded")
    ring = KeyRing(folder)
    made = {role: ring.create(role) for role in ROLES}
    credentials = {
        role: {"aws_access_key_id": key.id, "aws_secret_access_key": secret}
        for role, (key, secret) in made.items()
    }
    with wire(folder, {}) as running:
        yield running, credentials


def s3_client(live: Wire, *, region: str = "eu-west-3", **more: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20, **more.pop("config", {}))
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local", **more}
    session = boto3.Session(region_name=region)
    return session.client("s3", endpoint_url=live.endpoint, config=config, **credentials)


@pytest.fixture(scope="package")
def s3(open_server: Wire) -> Any:
    return s3_client(open_server)


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    """An empty bucket of the test's own."""
    name = f"b-{abs(hash(request.node.nodeid)):x}"[:40]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    return name
