"""What somebody would send to S3 who wants the server to fail, to fill, or to tell of what is not in a
bucket."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from live import fails
from openpersonalize.access.keys import KeyRing
from openpersonalize.access.refusals import RefusalLog
from openpersonalize.server.cors import Origins
from openpersonalize.server.s3.access import S3Access
from openpersonalize.server.s3.bucket_folder import BucketFolder
from openpersonalize.server.s3.catalogue import Catalogue, Details
from openpersonalize.server.s3.disk_room import DiskRoom
from openpersonalize.server.s3.faults import Fault
from openpersonalize.server.s3.folder_names import FolderNames
from openpersonalize.server.s3.listing import page
from openpersonalize.server.s3.receiving import Expected, Incoming
from openpersonalize.server.s3.service import S3Service
from openpersonalize.server.s3.transfers import Transfers
from openpersonalize.server.s3.uploads import Uploads
from security.raw import Line, request_bytes
from server.wire import Wire, settings_for

from .test_service import asked, left, run, service, text

__all__ = ["service"]
AUTHORIZATION = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20261130/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host, Signature={'0' * 64}"
}
ODD_PREFIXES = ["a%00/b", "a/" * 5000, "../", "a/../../", "%ed%a0%80/x", "x" * 3000, "%ff/", "/", "//"]


def status(live: Wire, method: str, target: str, body: bytes = b"", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Line(live.port) as line:
        return line.send(request_bytes(method, target, {**AUTHORIZATION, **named}, body)).status


@pytest.mark.parametrize("prefix", ODD_PREFIXES)
@pytest.mark.parametrize("query", ["list-type=2&", "", "versions&", "uploads&"])
def test_no_prefix_is_too_odd(open_server: Wire, bucket: str, prefix: str, query: str) -> None:
    for delimiter in ("",) if query == "uploads&" else ("", "&delimiter=/"):
        assert status(open_server, "GET", f"/{bucket}?{query}prefix={prefix}{delimiter}") == 200


@pytest.mark.parametrize("coding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_policy_is_utf8(open_server: Wire, bucket: str, coding: str) -> None:
    policy = json.dumps({"Statement": [1]}).encode(coding)
    assert status(open_server, "PUT", f"/{bucket}?policy", policy) == 400


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "%2e%2e/x",
        "a/../../x",
        "a%5cb",
        "/x",
        "C:/x",
        "a%0a",
        "%c2%85",
        "a" * 256,
        "%00",
        "%ed%a0%80/..",
    ],
)
def test_keys_that_are_no_files(open_server: Wire, bucket: str, key: str) -> None:
    root = open_server.settings.data
    before = sorted(root.rglob("*"))
    assert status(open_server, "GET", f"/{bucket}/{key}") in (400, 404)
    assert status(open_server, "PUT", f"/{bucket}/{key}", b"x") == 400
    assert status(open_server, "PUT", f"/{bucket}/c", x_amz_copy_source=f"{bucket}/{key}") in (400, 404)
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("name", [".uploads", ".staging", "..", "%2e%2e", "%2fetc", "a..b", "%00aa", "v1"])
def test_names_that_are_no_buckets(open_server: Wire, name: str) -> None:
    assert status(open_server, "PUT", f"/{name}") in (400, 404)
    assert status(open_server, "GET", f"/{name}/x") in (400, 404)
    assert status(open_server, "PUT", f"/{name}/x", b"x") in (400, 404)


@pytest.mark.parametrize("name", ["recommendations", "events", "health", "metrics", "items"])
def test_a_bucket_may_be_named_like_a_path_of_the_api(open_server: Wire, s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"x"
    assert open_server.send("GET", "/health").status == 200
    assert b"ListBucketResult" not in open_server.send("GET", "/health").body
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)


BOMB = '<!DOCTYPE l [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Delete>&b;</Delete>'


@pytest.mark.parametrize(
    "document",
    [
        BOMB.encode(),
        BOMB.encode("utf-16"),
        b"<Delete>" + b"<a/>" * 400_000 + b"</Delete>",
        b"<Delete>" + b"<a>" * 200_000,
        b"<Delete " + b" ".join(b'a%d=""' % n for n in range(220_000)) + b"/>",
        b"<Delete>" + b"<a>" * 90_000 + b"</a>" * 90_000 + b"</Delete>",
        b"",
    ],
)
def test_documents_that_would_grow(open_server: Wire, bucket: str, document: bytes) -> None:
    assert status(open_server, "POST", f"/{bucket}?delete", document) == 400


def test_a_whole_completion_is_not_too_many_elements(open_server: Wire, s3: Any, bucket: str) -> None:
    """Of 10,000 parts with all that a client may name of them."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    part = "<Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumSHA1>x==</ChecksumSHA1><ETag>x</ETag>"
    parts = "".join(f"{part}<PartNumber>{number}</PartNumber></Part>" for number in range(1, 10_001))
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    with Line(open_server.port) as line:
        data = request_bytes("POST", f"/{bucket}/a?uploadId={upload}", AUTHORIZATION, document)
        assert b"<Code>InvalidPart</Code>" in line.send(data).body
    s3.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=upload)


# ------------------------------------------------------------------------------------------ what is taken


def test_no_more_is_taken_than_was_announced(tmp_path: Path) -> None:
    with (tmp_path / "sink").open("wb") as sink:
        incoming = Incoming(sink, Expected(size=10, chunked=True), None, None)
        with pytest.raises(Fault, match="announced"):
            incoming.take(b"100000\r\n" + b"x" * 4096)
    assert (tmp_path / "sink").stat().st_size < 100


def test_uploads_leave_room_on_the_disk(tmp_path: Path) -> None:
    full = DiskRoom(tmp_path, reserve=1 << 62)
    with (tmp_path / "sink").open("wb") as sink, pytest.raises(Fault) as fault:
        Incoming(sink, Expected(), None, None, full).take(b"x")
    assert (fault.value.code, (tmp_path / "sink").stat().st_size) == ("ServiceUnavailable", 0)
    DiskRoom(tmp_path, reserve=0).check()


def test_an_address_has_half_of_the_transfers() -> None:
    transfers = Transfers(4)
    for address in ("a", "a"):
        transfers.begin(address)
    with pytest.raises(Fault, match="reduce"):
        transfers.begin("a")
    for address in ("b", "c"):
        transfers.begin(address)
    with pytest.raises(Fault, match="reduce"):
        transfers.begin("d")
    transfers.end("a")
    transfers.begin("d")


def test_a_body_that_drips_is_given_up(tmp_path: Path) -> None:
    """A piece comes now and then, never late, for as long as the sender likes."""
    settings = settings_for(tmp_path)
    access = S3Access(settings, KeyRing(tmp_path), Origins(""), RefusalLog())
    service = S3Service(settings, access, patience=0.05, least_rate=1000)
    (tmp_path / "buckets" / "films").mkdir()

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    sent, code = run(asked(service, "PUT", "/films/a", dripping))
    assert (code, sent[0]["status"], left(service)) == ("RequestTimeout", 400, [])
    service.close()


def test_refusals_take_no_place(service: S3Service) -> None:
    for _ in range(300):
        assert run(asked(service, "PATCH", "/films/a"))[1] == "MethodNotAllowed"
    assert run(asked(service, "GET", "/films"))[1] == "OK"


def test_a_part_of_an_upload_that_is_given_up_meanwhile(service: S3Service) -> None:
    sent, _ = run(asked(service, "POST", "/films/a?uploads"))
    upload = text(sent).partition(b"<UploadId>")[2].partition(b"<")[0].decode()

    async def aborted() -> AsyncIterator[bytes]:
        await asked(service, "DELETE", f"/films/a?uploadId={upload}")
        yield b"x" * 300_000

    _, code = run(asked(service, "PUT", f"/films/a?uploadId={upload}&partNumber=1", aborted))
    assert (code, left(service)) == ("NoSuchUpload", [])


@pytest.fixture
def folder(tmp_path: Path) -> BucketFolder:
    made = BucketFolder(tmp_path / "buckets", Catalogue(tmp_path / "buckets.db"))
    made.create("films", "eu-west-3")
    return made


def test_uploads_are_bounded_and_given_up_in_time(folder: BucketFolder) -> None:
    now = [1000.0]
    uploads = Uploads(folder, most=2, stale_seconds=100, clock=lambda: now[0])
    first = uploads.begin("films", "a", Details())
    uploads.begin("films", "b", Details())
    with pytest.raises(Fault, match="uploads in progress"):
        uploads.begin("films", "c", Details())
    now[0] += 4000
    uploads.begin("films", "c", Details())
    assert [upload.key for upload in uploads.list("films", "", ("", ""), 9)] == ["c"]
    with pytest.raises(Fault):
        uploads.require(first.id, "films", "a")
    assert len(list((folder.folder / ".uploads").iterdir())) == 1


def test_a_new_bucket_knows_nothing_of_uploads_to_the_former(s3: Any, bucket: str, open_server: Wire) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, Body=b"secret")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    fails("NoSuchUpload", s3.list_parts, Bucket=bucket, Key="a", UploadId=upload)
    assert not (open_server.settings.data / "buckets" / ".uploads" / upload).exists()


# ------------------------------------------------------------------------------------------ large folders


def test_a_large_folder_is_read_once_for_all_pages(tmp_path: Path) -> None:
    place = tmp_path / "films" / "a"
    place.mkdir(parents=True)
    for number in range(60):
        (place / f"{number:03}").touch()
    (place / "005x").mkdir()
    (place / "005x" / "y").touch()
    os.utime(place, (1, 1))
    names, after, found = FolderNames(large=10), "", []
    for _ in range(40):
        one = page(tmp_path, "films", "a/", "", after, 4, names)
        found += [key for key, _ in one.files]
        if one.last is None:
            break
        after = one.last
    assert found == sorted([f"a/{number:03}" for number in range(60)] + ["a/005x/y"])
    kept = names.sorted(place)
    assert names.sorted(place) is kept
    (place / "new").touch()
    assert b"new" in list(names.sorted(place))
    assert names.sorted(place) is not names.sorted(place)  # it changed just now


def test_names_that_are_kept_are_bounded(tmp_path: Path) -> None:
    names = FolderNames(large=2, most_kept=100)
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("a", "b", "c"):
            (folder / name).touch()
        os.utime(folder, (1, 1))
    first = names.sorted(tmp_path / "0")
    assert names.sorted(tmp_path / "0") is first
    for number in range(1, 6):
        names.sorted(tmp_path / str(number))
    assert names.sorted(tmp_path / "0") is not first


# ------------------------------------------------------------------------------------------ links


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
@pytest.mark.parametrize("place", ["in", "in/a.csv"])
def test_links_that_take_a_place_meanwhile_lead_nowhere(
    folder: BucketFolder, tmp_path: Path, place: str
) -> None:
    """A folder of the bucket, or the file itself, becomes a link to the outside and again what it was, while
    it is read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_bytes(b"secret")
    inside = folder.folder / "films" / "in"
    inside.mkdir()
    (inside / "a.csv").write_bytes(b"public")
    real = folder.folder / "films" / place
    link, aside = folder.folder / "films" / ".link", folder.folder / "films" / ".aside"
    target = outside if place == "in" else outside / "a.csv"
    ends = threading.Event()

    def swap() -> None:
        while not ends.is_set():
            link.symlink_to(target)
            real.rename(aside)
            link.rename(real)
            real.unlink()
            aside.rename(real)

    thread = threading.Thread(target=swap)
    thread.start()
    found = set()
    try:
        for _ in range(1500):
            try:
                _, stream = folder.open("films", "in/a.csv")
            except Fault:
                continue
            with stream:
                found.add(stream.read())
    finally:
        ends.set()
        thread.join()
    _, stream = folder.open("films", "in/a.csv")  # no read need have met the file in its place before
    with stream:
        found.add(stream.read())
    assert found == {b"public"}
