from __future__ import annotations

import pytest

from openpersonalize.server.s3.faults import Fault
from openpersonalize.server.s3.requests import MOST_METADATA, read_address, read_details, read_query


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        ("127.0.0.1:8077", "/films/in/a.csv", "films", "in/a.csv"),
        ("localhost", "/films", "films", ""),
        ("localhost", "/", "", ""),
        ("127.0.0.1", "/films/", "films", ""),
        ("127.0.0.1", "/films/a%20b/%C3%A9%2B+", "films", "a b/é++"),
        ("127.0.0.1", "/films//a", "films", "/a"),
        ("films.localhost:8077", "/in/a.csv", "films", "in/a.csv"),
        ("my.films.localhost", "/", "my.films", ""),
        ("films.s3.example.com", "/in/a.csv", "films", "in/a.csv"),
        ("Films.S3.Example.com:443", "/a", "films", "a"),
        ("s3.example.com", "/films/a", "films", "a"),
        ("other.example.com", "/films/a", "films", "a"),
        ("films.s3.eu-west-1.amazonaws.com", "/a", "films", "a"),
        ("films.s3.dualstack.eu-west-1.amazonaws.com", "/a", "films", "a"),
        ("films.s3-eu-west-1.amazonaws.com.cn", "/a", "films", "a"),
        ("s3.amazonaws.com", "/films/a", "films", "a"),
        ("s3.eu-west-1.amazonaws.com", "/films/a", "films", "a"),
        ("[::1]:8077", "/films/a", "films", "a"),
    ],
)
def test_the_bucket_is_in_the_host_or_in_the_path(host: str, path: str, bucket: str, key: str) -> None:
    assert read_address(path.encode(), host.encode(), "s3.example.com") == (bucket, key)


def test_a_path_that_is_no_utf_8() -> None:
    with pytest.raises(Fault):
        read_address(b"/films/%ff", b"localhost", "")


@pytest.mark.parametrize("host", ["s3." * 5000, "." * 16000, ":" * 300, "", "s3", ".amazonaws.com"])
def test_what_is_no_name_names_no_bucket(host: str) -> None:
    assert read_address(b"/films/a", host.encode(), "s3.example.com") == ("films", "a")


def test_queries() -> None:
    assert read_query(b"uploads") == {"uploads": ""}
    assert read_query(b"prefix=a%2Fb+c&list-type=2&&x=") == {"prefix": "a/b+c", "list-type": "2", "x": ""}


def test_details_keep_what_comes_back() -> None:
    headers = {
        "content-type": "text/csv",
        "content-encoding": "gzip, aws-chunked",
        "x-amz-meta-a": "b",
        "host": "x",
    }
    details = read_details(headers)
    assert details.headers == {"content-type": "text/csv", "content-encoding": "gzip"}
    assert details.metadata == {"a": "b"}
    with pytest.raises(Fault):
        read_details({"x-amz-meta-a": "b" * MOST_METADATA})
    with pytest.raises(Fault, match="customer"):
        read_details({"x-amz-server-side-encryption-customer-algorithm": "AES256"})
