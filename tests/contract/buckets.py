"""What all buckets must do: inherit `BucketsContract`; fixture `buckets` with an empty bucket films."""

from __future__ import annotations

import io

import pytest

from openpersonalize.errors import InvalidInput
from openpersonalize.storage.buckets import Buckets, ObjectInfo


def put(buckets: Buckets, location: str, content: bytes = b"x") -> None:
    buckets.write(location, io.BytesIO(content))


def locations(buckets: Buckets, location: str) -> list[str]:
    return [found.location for found in buckets.list(location)]


class BucketsContract:
    """The suite."""

    def test_a_file_is_listed_and_read(self, buckets: Buckets) -> None:
        content = bytes(range(256)) * 5000
        put(buckets, "s3://films/data/a b é.csv", content)
        assert buckets.list("s3://films/data/a b é.csv") == [
            ObjectInfo("s3://films/data/a b é.csv", "a b é.csv", len(content))
        ]
        with buckets.open("s3://films/data/a b é.csv") as stream:
            assert stream.read(3) == content[:3]
            assert stream.read() == content[3:]
            assert stream.read(1) == b""

    def test_a_file_is_read_in_pieces_and_lines(self, buckets: Buckets) -> None:
        put(buckets, "s3://films/a.csv", b"one\ntwo\nthree")
        with buckets.open("s3://films/a.csv") as stream:
            assert list(stream) == [b"one\n", b"two\n", b"three"]

    def test_writing_again_replaces(self, buckets: Buckets) -> None:
        put(buckets, "s3://films/a.csv", b"old and longer")
        put(buckets, "s3://films/a.csv", b"new")
        with buckets.open("s3://films/a.csv") as stream:
            assert stream.read() == b"new"
        assert locations(buckets, "s3://films/") == ["s3://films/a.csv"]

    def test_a_folder_is_everything_below_it_in_order(self, buckets: Buckets) -> None:
        keys = [
            "in/b.csv",
            "in/a.csv",
            "in/a/deep/z.csv",
            "in/a-b.csv",
            "in/é.csv",
            "in/a/y.csv",
            "other/c.csv",
            "in2.csv",
        ]
        for key in keys:
            put(buckets, f"s3://films/{key}")
        inside = [f"s3://films/{key}" for key in sorted(keys, key=str.encode) if key.startswith("in/")]
        assert locations(buckets, "s3://films/in/") == inside
        assert locations(buckets, "s3://films/in") == inside
        assert locations(buckets, "s3://films/in/a/") == [
            "s3://films/in/a/deep/z.csv",
            "s3://films/in/a/y.csv",
        ]
        assert len(locations(buckets, "s3://films")) == len(locations(buckets, "s3://films/")) == 8

    def test_a_name_that_begins_alike_is_not_meant(self, buckets: Buckets) -> None:
        put(buckets, "s3://films/data.csv.old")
        put(buckets, "s3://films/data2/a.csv")
        assert buckets.list("s3://films/data.csv") == []
        assert buckets.list("s3://films/data") == []

    def test_empty_files_count_only_by_name(self, buckets: Buckets) -> None:
        put(buckets, "s3://films/in/empty.csv", b"")
        put(buckets, "s3://films/in/full.csv", b"1")
        assert locations(buckets, "s3://films/in/") == ["s3://films/in/full.csv"]
        assert [found.size for found in buckets.list("s3://films/in/empty.csv")] == [0]

    def test_nothing_is_found_where_nothing_is(self, buckets: Buckets) -> None:
        for location in (
            "s3://films/a.csv",
            "s3://films/a/",
            "s3://absent/a.csv",
            "s3://absent/",
            "s3://absent",
        ):
            assert buckets.list(location) == []
        for location in ("s3://films/a.csv", "s3://absent/a.csv"):
            with pytest.raises(FileNotFoundError):
                buckets.open(location)

    @pytest.mark.parametrize(
        "location",
        ["", "films/a.csv", "s3://", "s3:///a.csv", "http://films/a.csv", "https://films/a.csv", "file:///etc/passwd",
         "s3://../a.csv", "s3://./a", "s3://films/../../etc/passwd", "s3://films/..", "s3://films/a/./b",
         "s3://films/a\0b", "s3://films/a\nb", "s3://films/" + "é" * 513, "s3://fi lms/a", "s3://.hidden/a",
         "s3://films/\ud800"],
    )  # fmt: skip
    def test_bad_locations_are_refused(self, buckets: Buckets, location: str) -> None:
        for use in (buckets.list, buckets.open, lambda where: put(buckets, where)):
            with pytest.raises(InvalidInput) as error:
                use(location)
            assert error.value.message == "Invalid Data location."

    @pytest.mark.parametrize("location", ["s3://films", "s3://films/", "s3://films/folder/"])
    def test_a_folder_cannot_be_written_as_a_file(self, buckets: Buckets, location: str) -> None:
        with pytest.raises(InvalidInput):
            put(buckets, location)

    def test_a_failed_write_leaves_what_was_there(self, buckets: Buckets) -> None:
        class Broken(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer: object) -> int:
                raise OSError("the source broke")

        put(buckets, "s3://films/a.csv", b"old")
        with pytest.raises(Exception, match="the source broke"):
            buckets.write("s3://films/a.csv", io.BufferedReader(Broken()))
        with buckets.open("s3://films/a.csv") as stream:
            assert stream.read() == b"old"
        assert locations(buckets, "s3://films") == ["s3://films/a.csv"]
