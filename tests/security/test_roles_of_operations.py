"""Every operation, every role, bound or not, in two regions: who may not is told so before anything else is
looked at, and who may is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.access.keys import BOUND_ROLES, ROLES, KeyRing
from openpersonalize.access.roles import ALLOWED
from openpersonalize.server.protocol import OPERATIONS, Operation
from server.wire import Wire, wire

from .raw import Line, request_bytes, signed_bytes

KINDS = [(role, None) for role in ROLES] + [(role, "t-1") for role in BOUND_ROLES]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str | None] | str, tuple[str, str]]:
    folder = tmp_path_factory.mktemp("roles") / "data"
    ring = KeyRing(folder)
    made = {}
    for role, tracker in KINDS:
        key, secret = ring.create(role, tracker)
        made[role, tracker] = (key.id, secret)
    return {**made, "folder": (str(folder), "")}


@pytest.fixture(scope="module")
def live(keys: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    async def passed(context: object, request: object) -> dict[str, object]:
        return {}

    with wire(Path(keys["folder"][0]), dict.fromkeys(OPERATIONS, passed), shed_after=64) as running:
        yield running


def unsigned(operation: Operation) -> bytes:
    headers = {} if operation.rest else {"X-Amz-Target": f"AmazonPersonalize.{operation.name}"}
    return request_bytes("POST", operation.path, headers, b"{")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}{' bound' if kind[1] else ''}")
def test_a_role_may_call_what_the_table_says(
    live: Wire, keys: dict[tuple[str, str | None], tuple[str, str]], kind: tuple[str, str | None]
) -> None:
    role, _ = kind
    with Line(live.port) as line:
        for region in ("us-east-1", "eu-west-3"):
            for operation in OPERATIONS.values():
                target = None if operation.rest else operation.name
                body = b"{"  # no JSON: whoever hears of that may call
                answer = line.send(signed_bytes(keys[kind], "POST", operation.path, body, target, region))
                wanted = (
                    "SerializationException" if role in ALLOWED[operation.name] else "AccessDeniedException"
                )
                assert answer.code == wanted, (operation.name, answer)
                assert answer.status < 500


def test_nobody_calls_anything_unsigned(live: Wire) -> None:
    with Line(live.port) as line:
        for operation in OPERATIONS.values():
            answer = line.send(unsigned(operation))
            assert (answer.status, answer.code) == (403, "MissingAuthenticationToken"), operation.name


@pytest.mark.parametrize("role", BOUND_ROLES)
def test_a_bound_key_learns_nothing_of_others(
    live: Wire, keys: dict[tuple[str, str | None], tuple[str, str]], role: str
) -> None:
    event = b'{"trackingId":"%s","sessionId":"s","eventList":[{"eventType":"v","sentAt":1}]}'
    arn = b"arn:aws:personalize:us-east-1:000000000000:dataset/%s/ITEMS"
    item = b'{"datasetArn":"' + arn + b'","items":[{"itemId":"i"}]}'
    calls = {
        "/events": [event % name for name in (b"t-2", b"none")],
        "/items": [item % n for n in (b"g", b"h")],
    }
    with Line(live.port) as line:
        for path, bodies in calls.items():
            answers = [line.send(signed_bytes(keys[role, "t-1"], "POST", path, body)) for body in bodies]
            assert {answer.code for answer in answers} == {"AccessDeniedException"}
            assert len({answer.body for answer in answers}) == 1


@pytest.mark.parametrize("path", ["/metrics", "/v1/jobs", "/v1/jobs/x", "/v1/nothing"])
def test_pages_are_for_admin_and_read(
    live: Wire, keys: dict[tuple[str, str | None], tuple[str, str]], path: str
) -> None:
    with Line(live.port) as line:
        for role in ROLES:
            answer = line.send(signed_bytes(keys[role, None], "GET", path))
            allowed = role in ("admin", "read")
            assert (answer.status in (200, 404)) is allowed, (role, answer)
    with Line(live.port) as line:
        assert line.send(request_bytes("GET", path)).status == 403
