from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contract.buckets import BucketsContract, locations, put
from openpersonalize.errors import InvalidInput
from openpersonalize.settings import read_settings
from openpersonalize.storage.bucket_service import are_local, named_endpoint, open_buckets
from openpersonalize.storage.buckets import AccessDenied, Buckets
from openpersonalize.storage.local_buckets import LocalBuckets
from openpersonalize.storage.s3 import S3Buckets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.csv").write_text("secret")
    folder = tmp_path / "buckets"
    (folder / "films").mkdir(parents=True)
    return folder


@pytest.fixture
def buckets(folder: Path) -> Buckets:
    return LocalBuckets(folder)


class TestLocal(BucketsContract):
    pass


def test_a_missing_folder_is_no_bucket(tmp_path: Path) -> None:
    buckets = LocalBuckets(tmp_path / "absent")
    assert buckets.list("s3://films/a.csv") == [] == buckets.list("s3://films/")
    put(buckets, "s3://films/a.csv")
    assert locations(buckets, "s3://films/") == ["s3://films/a.csv"]


def test_no_link_leads_out(buckets: Buckets, folder: Path) -> None:
    (folder / "films" / "out").symlink_to(folder.parent)
    (folder / "films" / "out.csv").symlink_to(folder.parent / "secret.csv")
    (folder / "leaving").symlink_to(folder.parent)
    (folder / "films" / "round").symlink_to(folder / "films" / "round")
    put(buckets, "s3://films/in.csv")
    assert locations(buckets, "s3://films") == ["s3://films/in.csv"]
    for location in (
        "s3://films/out.csv",
        "s3://films/out/secret.csv",
        "s3://leaving/secret.csv",
        "s3://films/round",
    ):
        assert buckets.list(location) == []
        with pytest.raises(FileNotFoundError):
            buckets.open(location)
    for location in ("s3://films/out/new.csv", "s3://films/out.csv", "s3://leaving/new.csv"):
        with pytest.raises(InvalidInput):
            put(buckets, location)
    assert (folder.parent / "secret.csv").read_text() == "secret"
    assert not (folder.parent / "new.csv").exists()


def test_a_link_inside_a_bucket_is_a_file(buckets: Buckets, folder: Path) -> None:
    put(buckets, "s3://films/a.csv", b"12345")
    (folder / "films" / "b.csv").symlink_to(folder / "films" / "a.csv")
    assert [found.size for found in buckets.list("s3://films/")] == [5, 5]


def test_the_buckets_folder_may_be_a_link_itself(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    buckets = LocalBuckets(tmp_path / "link")
    put(buckets, "s3://films/a.csv")
    assert locations(buckets, "s3://films/") == ["s3://films/a.csv"]


@pytest.mark.parametrize("key", ["C:/a.csv", "c:a.csv", "x/D:", "a\\..\\b", "a//b", "//a", "n" * 256])
def test_what_is_no_file_name_finds_nothing(buckets: Buckets, key: str) -> None:
    assert buckets.list(f"s3://films/{key}") == []
    with pytest.raises(FileNotFoundError):
        buckets.open(f"s3://films/{key}")
    with pytest.raises(InvalidInput):
        put(buckets, f"s3://films/{key}")


def test_a_file_cannot_be_a_folder_too(buckets: Buckets) -> None:
    put(buckets, "s3://films/a/b.csv")
    with pytest.raises(InvalidInput):
        put(buckets, "s3://films/a")
    with pytest.raises(InvalidInput):
        put(buckets, "s3://films/a/b.csv/c.csv")
    assert locations(buckets, "s3://films/") == ["s3://films/a/b.csv"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs file permissions that bind this user")
def test_unreadable_files_are_denied(buckets: Buckets, folder: Path) -> None:
    put(buckets, "s3://films/a.csv")
    (folder / "films" / "a.csv").chmod(0)
    with pytest.raises(AccessDenied):
        buckets.open("s3://films/a.csv")


KEYS = st.text(st.sampled_from("ab./\\:é \0\n~%*"), max_size=20) | st.text(max_size=20)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(KEYS, KEYS)
def test_no_text_leads_out_of_the_folder(folder: Path, bucket: str, key: str) -> None:
    buckets = LocalBuckets(folder)
    location = f"s3://{bucket}/{key}"
    before = set(folder.parent.iterdir())
    try:
        put(buckets, location, b"written")
    except InvalidInput:
        pass
    else:
        with buckets.open(location) as stream:
            assert stream.read() == b"written"
        assert [found.size for found in buckets.list(location)] == [7]
    assert set(folder.parent.iterdir()) == before
    assert (folder.parent / "secret.csv").read_text() == "secret"


def test_settings_choose_the_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    open_buckets(settings).write("s3://films/a.csv", io.BytesIO(b"x"))
    assert (tmp_path / "buckets" / "films" / "a.csv").read_bytes() == b"x"
    assert isinstance(open_buckets(replace(settings, s3="aws")), S3Buckets)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert isinstance(open_buckets(settings), S3Buckets)
    assert isinstance(open_buckets(replace(settings, s3="local")), LocalBuckets)


@pytest.mark.parametrize(
    ("endpoint", "personalize", "local"),
    [
        ("http://127.0.0.1:8077", "", True),  # this very server
        ("http://localhost:8077/", "", True),
        ("http://[::1]:8077", "", True),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", True),  # set by `openpersonalize env` for another
        ("http://127.0.0.1:9000", "http://127.0.0.1:8077", False),
        ("https://127.0.0.1:8077", "", False),
        ("http://minio:8077", "", False),
    ],
)
def test_an_endpoint_that_is_a_server_like_this_is_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, personalize: str, local: bool
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_PERSONALIZE", personalize)
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    assert are_local(settings, named_endpoint(os.environ)) is local
    assert isinstance(open_buckets(settings), LocalBuckets) is local
