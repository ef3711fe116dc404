"""Files and services of others: an import ends, and what it leaves behind is bounded."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datasets.tabular import schema
from openpersonalize.engine.task import Task
from openpersonalize.errors import JobFailed
from openpersonalize.settings import read_settings
from openpersonalize.storage.bucket_service import open_buckets
from openpersonalize.storage.buckets import Unreachable
from openpersonalize.storage.folder import DataFolder
from openpersonalize.storage.s3 import S3Buckets
from openpersonalize.workflows.import_step import run

SCHEMA = schema("Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long"), "EVENT_TYPE")
HEADER = b"USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"
ROW = b"u,i,1700000000,v\n"
HOSTILE: dict[str, bytes] = {
    "a long column name": HEADER + b"," + b"A" * 1_000_000 + b"\n" + ROW * 300,
    "many column names": HEADER + b"," + b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + ROW * 300,
    "one name many times": HEADER + b",USER_ID" * 100_000 + b"\n" + ROW,
    "nothing": b"",
    "line ends": b"\n" * 1_000_000,
    "returns": b"\r" * 1_000_000,
    "zeros": b"\0" * 1_000_000,
    "one quote": b'"' + b"a" * 1_000_000,
    "quotes": b'"' * 1_000_001,
    "backslashes in quotes": HEADER + b'\n"' + b"\\" * 1_000_001,
    "backslashes": HEADER + b"\n" + b"\\" * 1_000_000 + b"\n",
    "commas": HEADER + b"\n" + b"," * 1_000_000 + b"\n",
    "misplaced quotes": HEADER + b"\n" + b'u"x",i,y,v\n' * 50_000,
    "quotes never closed": HEADER + b"\n" + b'"u,i,1,v\n' * 20_000,
    "text after quotes": HEADER + b"\n" + b'"u"x,i,1,v\n' * 120_000,
    "no UTF-8": HEADER + b"\n" + b"\xff\xfe,i,1700000000,v\n" * 20_000,
    "huge numbers": HEADER + b"\n" + b"u,i," + b"9" * 100_000 + b",v\n",
    "many wrong numbers": HEADER + b"\n" + b"u,i,x,v\n" * 150_000,
    "escapes of terminals": HEADER + b"\n" + b"u,i,\x1b]0;x\x07\xc2\x9b2J,v\n" * 100,
    "a long value": HEADER + b"\n" + b"u" * 1_000_000 + b",i,1700000000,v\n",
    "a bomb": gzip.compress(HEADER + b"\n" + b"u,i,x,v\n" * 1_000_000),
    "half of a packed file": gzip.compress(HEADER + b"\n" + ROW * 1000)[:60],
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("hostile") / "data"
    folder = DataFolder.open(path)
    yield path
    folder.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(shelf: Path, name: str) -> None:
    settings = read_settings({"data_dir": str(shelf)}, {})
    packed = HOSTILE[name].startswith(b"\x1f\x8b")
    location = f"s3://b/{name.replace(' ', '-')}.csv{'.gz' if packed else ''}"
    open_buckets(settings).write(location, io.BytesIO(HOSTILE[name]))
    reports: list[dict[str, object]] = []
    task = Task(settings, name.replace(" ", "-"), reports.append, lambda: False)
    with pytest.raises(JobFailed) as failed:
        run(
            task,
            location=location,
            dataset_type="INTERACTIONS",
            schema=SCHEMA,
            mode="FULL",
            previous=None,
            position=0,
            minimum_data=True,
        )
    assert len(failed.value.message) < 20_000
    assert failed.value.message.isprintable()
    told = sum(len(str(report)) for report in reports)
    assert told < 8_000_000
    assert all(str(value).isprintable() for report in reports for value in report.values())


class Endless(BaseHTTPRequestHandler):
    """An S3 that lists for ever: pages with or without names, each with another token."""

    names = True
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        entries = "".join(
            f"<Contents><Key>in/{self.asked}-{n}.csv</Key><Size>9</Size></Contents>"
            for n in range(1000 if self.names else 0)
        )
        body = (
            f"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{self.asked}"
            f"</NextContinuationToken>{entries}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("names", [True, False])
def test_a_service_that_lists_for_ever_is_given_up(names: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    handler = type("Handler", (Endless,), {"names": names, "protocol_version": "HTTP/1.1"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            buckets = S3Buckets("us-east-1", f"http://127.0.0.1:{server.server_port}", most_pages=50)
            with pytest.raises(Unreachable, match="lists more than"):
                buckets.list("s3://films/in/")
        finally:
            server.shutdown()
            thread.join()
