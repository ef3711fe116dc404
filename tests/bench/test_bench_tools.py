"""The benchmarks' own tools tell the truth: signatures, load, the made-up shop, the results file."""

import asyncio
import json
import threading
import time

import polars as pl
import pytest
from bench.load import load
from bench.results import row, write
from bench.shop import NEWEST, SCHEMAS, avro, draw
from bench.signing import Signer

from openpersonalize.access.canonical import joined
from openpersonalize.access.signature import prove, read_head
from openpersonalize.datasets.schema_rules import check_schema_for
from openpersonalize.datasets.schemas import parse_schema


@pytest.fixture
def counted():
    """A tiny HTTP server: counts requests; answers those for /wrong with 500, and in two pieces."""
    seen = []

    async def serve(reader, writer):
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                seen.append((head.split()[1], await reader.readexactly(length)))
                status = "500 Oh" if "/wrong" in head else "200 OK"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhe".encode())
                await writer.drain()
                await asyncio.sleep(0)
                writer.write(b"llo")
        except asyncio.IncompleteReadError:
            writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1], seen

    async def end():
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_the_load_generator_sends_every_request_as_often_as_asked(counted):
    port, seen = counted
    requests = Signer("KEY", "secret", "eu-west-1", f"127.0.0.1:{port}").requests(
        "/recommendations", [{"userId": f"user-{k}"} for k in range(20)]
    )
    outcome = load(port, requests, connections=4, seconds=30, passes=3)
    assert (outcome.answers, outcome.errors) == (60, 0)
    assert sorted(seen) == sorted(
        [("/recommendations", json.dumps({"userId": f"user-{k}"}).encode()) for k in range(20)] * 3
    )
    assert 0 < outcome.p50 <= outcome.p99 <= outcome.worst


def test_the_load_generator_reports_errors(counted):
    port, _ = counted
    requests = Signer("KEY", "secret", "eu-west-1", "h").requests("/wrong", [{}])
    outcome = load(port, requests, connections=1, seconds=30, passes=2)
    assert (outcome.answers, outcome.errors) == (2, 2)
    assert "500 Oh" in outcome.first_error


def test_signatures_are_accepted_by_the_server():
    request = Signer("KEY", "secret", "eu-west-1", "host:1").request("/recommendations", {"userId": "x"})
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = joined(
        [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines[1:])]
    )
    signed = read_head(headers, lambda key: Key() if key == "KEY" else None, time.time())
    prove(signed, method="POST", raw_path=b"/recommendations", query=b"", headers=headers, body=body)
    assert (signed.claim.region, signed.holder.id) == ("eu-west-1", "KEY")


class Key:
    id, secret, role, tracker, revoked_at = "KEY", "secret", "admin", None, None


def test_the_shop_fits_its_schemas():
    shop = draw(items=300, users=400, interactions=5000, groups=10)
    frames = {"Interactions": shop.interactions, "Items": shop.items}
    for kind, frame in frames.items():
        check_schema_for(parse_schema(avro(kind)), kind.upper(), None)
        assert frame.columns == [name for name, _, _ in SCHEMAS[kind]]
        assert frame.null_count().sum_horizontal().item() == 0
    assert shop.interactions.height >= 5000
    assert shop.interactions["ITEM_ID"].is_in(shop.items["ITEM_ID"].to_list()).all()
    assert shop.interactions["TIMESTAMP"].max() <= NEWEST
    assert set(shop.interactions["EVENT_TYPE"]) == {"click", "purchase"}


def test_the_shop_has_something_to_learn():
    """Users keep to few groups, and popularity is uneven."""
    shop = draw(items=1000, users=400, interactions=8000, groups=50)
    groups = shop.interactions.join(shop.items, on="ITEM_ID").group_by("USER_ID", "CATEGORY").len()
    most = groups.sort("len", descending=True).group_by("USER_ID").head(3)
    assert most["len"].sum() > 0.8 * shop.interactions.height
    counts = shop.interactions["ITEM_ID"].value_counts(sort=True)["count"]
    assert counts.head(100).sum() > 0.3 * shop.interactions.height


def test_the_same_seed_draws_the_same_shop():
    one, other = (draw(items=100, users=50, interactions=500, seed=7) for _ in range(2))
    assert one.interactions.equals(other.interactions)
    assert not draw(items=100, users=50, interactions=500, seed=8).interactions.equals(one.interactions)


def test_rows_know_whether_they_reach_their_target():
    fast = row("rate", 100.0, "requests/s", floor=400.0, target=90.0)
    assert (fast.ratio, fast.ok) == (0.25, True)
    assert row("p99", 30.0, "ms", target=25.0, lower=True).ok is False
    assert row("p50", 3.0, "ms").ok is None


def test_new_results_replace_old_ones_of_the_same_name(tmp_path):
    path = tmp_path / "results.json"
    write([row("a", 1, "s"), row("b", 2, "s")], path)
    write([row("b", 3, "s")], path)
    assert [(one["name"], one["value"]) for one in json.loads(path.read_text())] == [("a", 1), ("b", 3)]
    keys = {"name", "value", "unit", "floor", "ratio", "target", "ok"}
    assert all(set(one) == keys for one in json.loads(path.read_text()))


def test_written_files_read_back(tmp_path):
    shop = draw(items=50, users=20, interactions=200)
    shop.write(tmp_path)
    assert pl.read_csv(tmp_path / "Interactions.csv").height == shop.interactions.height
    assert pl.read_csv(tmp_path / "Items.csv").height == 50
