from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live import fails
from openpersonalize.server.s3.folder_names import FolderNames
from openpersonalize.server.s3.listing import page

NAMES = st.text(st.sampled_from("ab-.0é~"), min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
KEYS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12, unique=True)


def naive(keys: list[str], prefix: str, delimiter: str, after: str, most: int) -> tuple[list[str], bool]:
    """Keys and common prefixes in order, and whether more follow, as S3 has it."""
    found: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if end < 0 else key[: end + len(delimiter)]
        if entry not in (after, *found[-1:]):
            found.append(entry)
    return found[:most], len(found) > most


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    keys=KEYS,
    prefix=st.sampled_from(["", "a", "a/", "a/b", "-", "b/a/", "x/", "..", "/"]),
    delimiter=st.sampled_from(["", "/", "-", "a"]),
    most=st.integers(1, 5),
    most_skipped=st.sampled_from([1, 2, 100]),
)
def test_pages_are_those_of_a_sorted_list(
    tmp_path: Path, keys: list[str], prefix: str, delimiter: str, most: int, most_skipped: int
) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    made = []
    for key in keys:
        path = folder / "bucket" / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        except OSError:  # a key that is another's folder
            continue
        made.append(key)
    made = [key for key in made if (folder / "bucket" / key).is_file()]
    after = ""
    for _ in range(50):
        found = page(folder, "bucket", prefix, delimiter, after, most, most_skipped=most_skipped)
        entries = sorted([key for key, _ in found.files] + found.prefixes, key=str.encode)
        assert (entries, found.last is not None) == naive(made, prefix, delimiter, after, most)
        if found.last is None:
            return
        after = found.last
    raise AssertionError("the listing has no end")


def test_what_a_common_prefix_holds_is_passed_over(tmp_path: Path) -> None:
    """Counted by the folders that are read: a million keys of one prefix are not."""
    for number in range(300):
        (tmp_path / "films" / f"a-{number}").mkdir(parents=True)
        (tmp_path / "films" / f"a-{number}" / "x").touch()
    read: list[Path] = []

    class Counted(FolderNames):
        def sorted(self, folder: Path) -> Sequence[bytes]:
            read.append(folder)
            return super().sorted(folder)

    found = page(tmp_path, "films", "", "-", "", 1000, Counted(), most_skipped=10)
    assert (found.prefixes, found.files, len(read) < 20) == (["a-"], [], True)


def test_every_object_has_one_version(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for key in ("a", "b/c", "d"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    found = [version for page in pages for version in page["Versions"]]
    assert [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in found] == [
        ("a", "null", True),
        ("b/c", "null", True),
        ("d", "null", True),
    ]
    versions = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
    s3.delete_object(Bucket=bucket, **versions.pop())
    s3.delete_objects(Bucket=bucket, Delete={"Objects": versions})
    s3.delete_bucket(Bucket=bucket)


def test_both_listings_go_through_pages(s3: Any, bucket: str) -> None:
    keys = ["a b", "a+b", "a/1", "a/2", "b&c", "é/ü", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
        assert [entry["Key"] for found in pages for entry in found["Contents"]] == sorted(
            keys, key=str.encode
        )
        assert [found["IsTruncated"] for found in pages] == [True, True, True, False]
        pages = list(
            s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
            )
        )
        prefixes = [entry["Prefix"] for found in pages for entry in found.get("CommonPrefixes", [])]
        assert prefixes == ["a/", "é/"]
        assert [entry["Key"] for found in pages for entry in found.get("Contents", [])] == [
            "a b", "a+b", "b&c", "z",
        ]  # fmt: skip
    inside = s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="a/1", FetchOwner=True)
    (entry,) = inside["Contents"]
    assert (entry["Key"], entry["Size"], entry["Owner"]["ID"]) == ("a/2", 3, "000000000000")
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    fails("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken="é")
    fails("NoSuchBucket", s3.list_objects_v2, Bucket="no-such-bucket")
