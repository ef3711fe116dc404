from __future__ import annotations

import pytest

from openpersonalize.errors import InvalidInput
from openpersonalize.storage.locations import Location, parse_location


@pytest.mark.parametrize(
    ("address", "bucket", "key"),
    [
        ("https://films.s3.eu-west-1.amazonaws.com/in/a.csv", "films", "in/a.csv"),
        ("https://films.s3.amazonaws.com/in/", "films", "in/"),
        ("https://films.s3.amazonaws.com", "films", ""),
        ("https://films.s3-eu-west-1.amazonaws.com/a.csv", "films", "a.csv"),
        ("https://films.of.mine.s3.us-gov-west-1.amazonaws.com/a.csv", "films.of.mine", "a.csv"),
        ("https://films.s3.dualstack.us-east-2.amazonaws.com/a.csv", "films", "a.csv"),
        ("https://films.s3.cn-north-1.amazonaws.com.cn/a.csv", "films", "a.csv"),
        ("https://s3.eu-west-1.amazonaws.com/films/in/a.csv", "films", "in/a.csv"),
        ("https://s3.amazonaws.com/films/a.csv", "films", "a.csv"),
        ("https://s3-eu-west-1.amazonaws.com/films/a.csv", "films", "a.csv"),
        ("https://s3.amazonaws.com/films/a%20b/%C3%A9+.csv", "films", "a b/é+.csv"),
        ("s3://films/a%20b.csv", "films", "a%20b.csv"),
    ],
)
def test_an_address_of_s3_is_the_location_that_it_names(address: str, bucket: str, key: str) -> None:
    assert parse_location(address) == Location(bucket, key)


@pytest.mark.parametrize(
    "address",
    [
        "https://films.example.com/a.csv",
        "https://films.s3.eu-west-1.amazonaws.com.example.com/a.csv",
        "https://s3.eu-west-1.amazonaws.com/",
        "https://s3.amazonaws.com/films/a.csv?X-Amz-Signature=0",
        "https://s3.amazonaws.com/films/a.csv#b",
        "https://s3.amazonaws.com/films/%2e%2e/a.csv",
        "https://s3.amazonaws.com/films/a%00.csv",
        "https://s3.amazonaws.com/films/%ff.csv",
        "https://s3.amazonaws.com:8080/films/a.csv",
        "https://me@s3.amazonaws.com/films/a.csv",
        "http://films.s3.amazonaws.com/a.csv",
        "HTTPS://s3.amazonaws.com/films/a.csv",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid Data location"):
        parse_location(address)
