"""A disk that takes no more: work fails with a sentence, answers go on, and nothing is lost."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import shop
from durability.world import World

LIMIT = 4 * 1024 * 1024

resource = pytest.importorskip("resource", reason="this system has no limits on the size of files")
pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="this system cannot limit a running process"
)


@pytest.fixture
def small_files(world: World) -> Iterator[World]:
    """The server and its processes cannot write files beyond 4 MiB, as if the disk were full there."""
    assert sys.platform == "linux"
    assert world.server.process is not None
    unlimited = resource.prlimit(world.server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(world.server.process.pid, resource.RLIMIT_FSIZE, (LIMIT, unlimited[1]))
    yield world
    resource.prlimit(world.server.process.pid, resource.RLIMIT_FSIZE, unlimited)


def large_file(chance: random.Random) -> str:
    """A file whose snapshot is larger than the limit, whatever compresses it."""
    rows = (f"{chance.randbytes(40).hex()},item-00,1700000000,click," for _ in range(200_000))
    return "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n" + "\n".join(rows)


def _s3(world: World) -> Any:
    """A client that takes a refusal as it is."""
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=world.server.endpoint, config=config, **keys)


def test_an_import_that_does_not_fit(small_files: World, chance: random.Random) -> None:
    world, personalize = small_files, small_files.clients.personalize
    location = world.server.put("s3://large/a.csv", large_file(chance))
    met = world.items_met("user-00")

    def start(name: str) -> str:
        made = personalize.create_dataset_import_job(
            jobName=name,
            datasetArn=world.stock.datasets["Interactions"],
            dataSource={"dataLocation": location},
        )
        return str(made["datasetImportJobArn"])

    with pytest.raises(ClientError, match=r"PutObject .* takes no more \(File too large\)"):
        _s3(world).put_object(Bucket="large", Key="b.csv", Body=bytes(LIMIT + 1))
    reason = world.wait.failed(start("too-large"), 120)
    assert reason.startswith("The disk takes no more"), reason
    assert world.items_met("user-00") == met, "the old data is still in force"
    event = {"eventType": "click", "itemId": shop.FAVOURITE, "sentAt": 1_700_000_000, "properties": "{}"}
    world.clients.events.put_events(trackingId=world.tracking, sessionId="s", userId="new", eventList=[event])
    assert world.items_met("new") == {shop.FAVOURITE}
    assert [path for path in (world.server.data / "staging").iterdir() if path.is_dir()] == []
    pid = world.server.process.pid if world.server.process else 0
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    world.wait.active(start("fits-now"), 120)
    assert world.items_met("user-00") == set()
