from __future__ import annotations

from collections.abc import Iterator

import pytest

from live import fails
from openpersonalize.access.keys import KeyRing

from .wire import Wire, wire

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("sts"), {}, account=ACCOUNT) as running:
        yield running


def test_the_account_of_every_arn(live: Wire) -> None:
    answer = live.client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert answer["UserId"] == ACCOUNT


def test_a_key_is_a_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sts-keys")
    key, secret = KeyRing(folder).create("runtime")
    with wire(folder, {}, account=ACCOUNT) as live:
        live.credentials = {"aws_access_key_id": key.id, "aws_secret_access_key": secret}
        answer = live.client("sts").get_caller_identity()
        assert answer["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{key.id}"
        live.credentials = {"aws_access_key_id": key.id, "aws_secret_access_key": "other"}
        fails("InvalidSignatureException", live.client("sts").get_caller_identity)


def test_other_operations_are_not_there(live: Wire) -> None:
    sts = live.client("sts")
    message = fails(
        "InvalidInputException",
        sts.assume_role,
        RoleArn="arn:aws:iam::123456789012:role/x",
        RoleSessionName="x1",
    )
    assert "GetCallerIdentity only" in message
    assert "AssumeRole" in message


@pytest.mark.parametrize("body", [b"", b"Action=", b"&" * 5000, b"Action=%ff", b"\xff\x00"])
def test_what_is_no_query_is_refused(live: Wire, body: bytes) -> None:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-3/sts/aws4_request",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    reply = live.send("POST", "/", body, headers)
    assert (reply.status, b"<Code>InvalidInputException</Code>" in reply.body) == (400, True)
