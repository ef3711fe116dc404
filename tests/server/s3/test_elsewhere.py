"""A server whose ``s3://`` is another service serves no S3 of its own, and says where to go."""

from __future__ import annotations

import pytest

from live import fails
from server.s3.conftest import s3_client
from server.wire import wire


def test_buckets_that_live_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    with wire(tmp_path_factory.mktemp("elsewhere"), {}, s3="aws") as live:
        client = s3_client(live)
        message = fails("UnknownOperationException", client.list_buckets)
        assert "AWS_ENDPOINT_URL_S3" in message
        fails("UnknownOperationException", client.put_object, Bucket="films", Key="a", Body=b"x")
        assert not (live.settings.data / "buckets" / "films").exists()
