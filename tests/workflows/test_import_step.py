"""The import step: files in a bucket become a snapshot, or a failure reason with every problem."""

from __future__ import annotations

import gzip
import io
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.tabular import CATEGORICAL, TEXTUAL, schema
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.minimums import SMALL_DATA
from openpersonalize.datasets.snapshots import Snapshot
from openpersonalize.engine.task import Task
from openpersonalize.errors import JobFailed, JobStopped
from openpersonalize.settings import read_settings
from openpersonalize.storage.bucket_service import open_buckets
from openpersonalize.storage.buckets import AccessDenied, Unreachable
from openpersonalize.storage.folder import DataFolder
from openpersonalize.storage.local_buckets import LocalBuckets
from openpersonalize.storage.objects import open_objects
from openpersonalize.workflows import import_step
from openpersonalize.workflows.import_step import run
from openpersonalize.workflows.quotations import without_places

INTERACTIONS = schema("Interactions", "USER_ID", "ITEM_ID", ("TIMESTAMP", "long"), "EVENT_TYPE")
ITEMS = schema("Items", "ITEM_ID", ("GENRE", ["null", "string"], CATEGORICAL), ("PRICE", "float"))
USERS = schema("Users", "USER_ID", ("AGE", ["null", "int"]))


class Shelf:
    """A data folder, and imports run against it as a job's process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = DataFolder.open(folder)
        self.settings = read_settings({"data_dir": str(folder)}, {})
        self.objects = open_objects(self.settings)
        self.buckets = open_buckets(self.settings)
        self.jobs = 0
        self.reports: list[dict[str, Any]] = []
        self.stop_after: int | None = None

    def put(self, key: str, text: str | bytes) -> None:
        self.buckets.write(f"s3://b/{key}", io.BytesIO(text.encode() if isinstance(text, str) else text))

    def run(
        self,
        dataset_type: str = "ITEMS",
        schema_text: str = ITEMS,
        location: str = "s3://b/f.csv",
        mode: str = "FULL",
        previous: str | None = None,
        minimum_data: bool = True,
        others: dict[str, str] | None = None,
        job: str | None = None,
    ) -> dict[str, Any]:
        self.jobs += 1
        self.reports = []
        checks = iter(range(10**6))
        task = Task(
            self.settings,
            job or f"job-{self.jobs}",
            self.reports.append,
            lambda: self.stop_after is not None and next(checks) >= self.stop_after,
        )
        return run(
            task,
            dataset_type=dataset_type,
            schema=schema_text,
            location=location,
            mode=mode,
            previous=previous,
            position=self.jobs,
            minimum_data=minimum_data,
            others=others,
        )

    def failure(self, **arguments: Any) -> str:
        with pytest.raises(JobFailed) as failed:
            self.run(**arguments)
        staged = self.settings.data / "staging"
        assert not staged.is_dir() or not [left for left in staged.iterdir() if left.is_dir()]
        return failed.value.message

    def rows(self, result: dict[str, Any]) -> list[tuple[Any, ...]]:
        return Snapshot.open(self.objects, result["snapshot"]).scan().collect().rows()

    @property
    def problems(self) -> list[tuple[str, int, str, str]]:
        return [tuple(report["problem"]) for report in self.reports if "problem" in report]

    @property
    def lines(self) -> list[str]:
        return [report["line"] for report in self.reports if "line" in report]


@pytest.fixture
def shelf(tmp_path: Path):
    made = Shelf(tmp_path / "data")
    yield made
    made.folder.close()


def interactions(n: int, header: str = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE") -> str:
    return header + "\n" + "".join(f"u{k % 50},i{k % 20},{1_700_000_000 + k},click\n" for k in range(n))


def test_a_file_becomes_a_snapshot(shelf: Shelf):
    text = "ITEM_ID,GENRE,PRICE\na,Drama|Comedy,1.5\nb,,2\n"
    shelf.put("f.csv", text)
    result = shelf.run()
    assert result == {"snapshot": "snapshots/job-1", "rows": 2, "total_rows": 2, "bytes": len(text)}
    assert shelf.rows(result) == [("a", "Drama|Comedy", 1.5), ("b", None, 2.0)]
    dated = Snapshot.open(shelf.objects, result["snapshot"]).records().select("#ARRIVAL").collect()
    assert dated.rows() == [(1,), (1,)], "the position that the step was given"
    assert shelf.lines[0] == f"2 rows read from 1 files, {len(text)} bytes"
    steps = [report["progress"]["step"] for report in shelf.reports if "progress" in report]
    assert steps[0] == "read"
    assert "index" in steps


def test_columns_in_another_order_and_further_ones(shelf: Shelf):
    shelf.put("f.csv", "x,PRICE,genre,ITEM_ID\n,3,A,a\n")
    assert shelf.rows(shelf.run()) == [("a", "A", 3.0)]


def test_a_folder_with_its_sub_folders_in_order_of_names(shelf: Shelf):
    shelf.put("all/2.csv", "ITEM_ID,GENRE,PRICE\na,A,2\nb,B,2\n")
    shelf.put("all/1.csv", "PRICE,GENRE,ITEM_ID\n1,A,a\n")
    shelf.put("all/sub/3", "ITEM_ID,GENRE,PRICE\nb,C,3\n")
    shelf.put("all/empty.csv", "")
    for location in ("s3://b/all/", "s3://b/all"):
        result = shelf.run(location=location)
        assert shelf.rows(result) == [("a", "A", 2.0), ("b", "C", 3.0)]
        assert (result["rows"], result["total_rows"]) == (4, 4)


def test_nothing_at_the_location(shelf: Shelf):
    told = shelf.failure()
    assert told == (
        "Invalid Data location. No objects found at s3://b/f.csv. The server, which has no S3 service, looked"
        " for buckets/b/f.csv in its data folder: `openpersonalize cp FILE s3://b/f.csv` puts one there."
    )
    assert without_places(told) == told


def test_no_access(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise AccessDenied()

    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    for method in ("open", "list"):
        monkeypatch.setattr(LocalBuckets, method, refused)
        assert shelf.failure() == (
            "Failed to create a data import job for Items dataset. Insufficient privileges for accessing data"
            " in Amazon S3."
        )


def test_a_service_that_does_not_answer(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise Unreachable("Could not connect")

    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    for method in ("open", "list"):
        monkeypatch.setattr(LocalBuckets, method, refused)
        assert shelf.failure() == (
            "Amazon S3 cannot be read from now (Could not connect); check AWS_ENDPOINT_URL_S3 and the"
            " network, and import again."
        )


def test_missing_columns_are_named_in_schema_order(shelf: Shelf):
    shelf.put("f.csv", "item_id,x\na,1\n")
    assert shelf.failure() == (
        "Failed to create a data import job Items dataset. Input CSV is missing the following"
        " columns:[GENRE, PRICE]. file f.csv, line 1, column GENRE: the column is missing; the header is"
        " item_id,x; file f.csv, line 1, column PRICE: the column is missing; the header is item_id,x"
    )
    assert [problem[:3] for problem in shelf.problems] == [("f.csv", 1, "GENRE"), ("f.csv", 1, "PRICE")]


def test_columns_missing_in_any_file_of_a_folder(shelf: Shelf):
    shelf.put("d/1.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    shelf.put("d/2.csv", "ITEM_ID,PRICE\na,1\n")
    shelf.put("d/sub/1.csv", "GENRE,PRICE\na,1\n")
    assert "missing the following columns:[ITEM_ID, GENRE]. file 2.csv" in shelf.failure(location="s3://b/d")
    assert [problem[:3] for problem in shelf.problems] == [
        ("2.csv", 1, "GENRE"),
        ("sub/1.csv", 1, "ITEM_ID"),
    ]


def test_an_empty_file_has_no_columns(shelf: Shelf):
    shelf.put("f.csv", "")
    reason = shelf.failure()
    assert "missing the following columns:[ITEM_ID, GENRE, PRICE]." in reason
    assert reason.endswith("the file is empty")


def test_a_duplicate_column(shelf: Shelf):
    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE,PRICE\na,A,1,2\n")
    assert shelf.failure() == "Input CSV has duplicate column PRICE."


def test_a_header_that_cannot_be_read(shelf: Shelf):
    shelf.put("f.csv", b'ITEM_ID,"GENRE,PRICE\na,A,1\n')
    assert shelf.failure().startswith("Input csv has rows that do not conform to the dataset schema.")
    shelf.put("f.csv", b"ITEM_ID,GENRE,PRICE,\xff\na,A,1,\n")
    assert shelf.failure().startswith(
        "Input CSV is not valid UTF-8. 1 problems; first 20: file f.csv, line 1"
    )


def test_no_rows(shelf: Shelf):
    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\n\n")
    assert shelf.failure() == "Input CSV has no records."


def test_input_over_the_modes_limit(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(import_step.LIMITS, "INCREMENTAL", (10, "1 GB"))
    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    first = shelf.run()
    assert shelf.failure(mode="INCREMENTAL", previous=first["snapshot"]) == (
        "Input data exceeds 1 GB for import mode INCREMENTAL."
    )


def test_header_before_size_before_rows_before_their_number(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(import_step.LIMITS, "FULL", (75, "100 GB"))
    short: dict[str, Any] = {"dataset_type": "INTERACTIONS", "schema_text": INTERACTIONS}
    shelf.put("f.csv", "USER_ID,ITEM_ID,TIMESTAMP\n" + "u,i,x\n" * 20)
    assert "missing the following columns:[EVENT_TYPE]" in shelf.failure(**short)
    shelf.put("f.csv", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + "u,i,x,c\n" * 20)
    assert shelf.failure(**short) == "Input data exceeds 100 GB for import mode FULL."
    shelf.put("f.csv", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\nu,i,x,c\n")
    assert shelf.failure(**short).startswith("Input csv has rows that do not conform")
    shelf.put("f.csv", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + "u,i,1,c\n" * 4)
    assert shelf.failure(**short) == (
        "Interactions import must have at least 1000 records; found 4. 3 of them are the same"
        " event as another row. For small data start the server with its option:"
        " openpersonalize serve --minimum-data off."
    )


@pytest.mark.parametrize(
    ("rows", "switch", "enough"), [(999, True, False), (1000, True, True), (1, False, True)]
)
def test_a_thousand_interactions(shelf: Shelf, rows: int, switch: bool, enough: bool):
    shelf.put("f.csv", interactions(rows))
    arguments: dict[str, Any] = {
        "dataset_type": "INTERACTIONS",
        "schema_text": INTERACTIONS,
        "minimum_data": switch,
    }
    if enough:
        result = shelf.run(**arguments)
        histories = Snapshot.open(shelf.objects, result["snapshot"]).histories()
        assert histories.rows == result["rows"] == rows
        assert histories.of("u0")[1][0] == 1_700_000_000
    else:
        least = "Interactions import must have at least 1000 records; found 999."
        assert shelf.failure(**arguments) == f"{least} {SMALL_DATA}"


def test_a_few_new_interactions_are_told_where_to_go(shelf: Shelf):
    """As many new rows are needed as in a first import; the sentence says what to do with two."""
    shelf.put("f.csv", interactions(1000))
    arguments: dict[str, Any] = {
        "dataset_type": "INTERACTIONS",
        "schema_text": INTERACTIONS,
        "minimum_data": True,
    }
    first = shelf.run(**arguments)["snapshot"]
    shelf.put("f.csv", interactions(2))
    told = shelf.failure(**arguments, mode="INCREMENTAL", previous=first)
    assert told.startswith(
        "Interactions import must have at least 1000 records; found 2. An INCREMENTAL import"
    )
    assert "PutEvents" in told
    assert "importMode FULL" in told
    assert told.endswith(SMALL_DATA)


def test_one_bad_row_fails_the_import_with_all_problems(shelf: Shelf):
    shelf.put("d/1.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n,B,2\nc,C,\n")
    shelf.put("d/2.csv", "PRICE,ITEM_ID,GENRE\nx,d,D\n1\n")
    assert shelf.failure(location="s3://b/d/") == (
        "Input csv has rows that do not conform to the dataset schema. Please ensure all required data fields"
        " are present and that they are of the type specified in the schema. 4 problems; first 20:"
        " file 1.csv, line 3, column ITEM_ID: is empty; file 1.csv, line 4, column PRICE: is empty;"
        ' file 2.csv, line 2, column PRICE: "x" is not a finite number of 32 bits;'
        " file 2.csv, line 3, column ITEM_ID: the row has 1 values, the header 3"
    )
    assert len(shelf.problems) == 4
    assert not shelf.objects.exists("snapshots/job-1")


def test_a_category_that_is_too_long_and_a_description_that_is_cut(shelf: Shelf):
    text = schema("Items", "ITEM_ID", ("GENRE", "string", CATEGORICAL), ("PLOT", "string", TEXTUAL))
    shelf.put("f.csv", f"ITEM_ID,GENRE,PLOT\na,{'g' * 1001},p\n")
    assert shelf.failure(schema_text=text).startswith(
        "Length cannot be more than 1000 characters for GENRE. If no"
    )
    shelf.put("f.csv", f"ITEM_ID,GENRE,PLOT\na,,{'p' * 30_000}\n")
    assert shelf.rows(shelf.run(schema_text=text)) == [("a", "", "p" * 20_000)]
    assert "column GENRE: 1 empty values kept as empty text" in shelf.lines
    assert "1 textual values were longer than is used and have been cut" in shelf.lines


def test_incremental_upserts_records_and_appends_interactions(shelf: Shelf):
    shelf.put("f.csv", "USER_ID,AGE\nu,1\nv,2\n")
    first = shelf.run("USERS", USERS)
    shelf.put("f.csv", "USER_ID,AGE\nv,3\nw,\n")
    second = shelf.run("USERS", USERS, mode="INCREMENTAL", previous=first["snapshot"])
    assert (second["rows"], second["total_rows"]) == (2, 3)
    assert shelf.rows(second) == [("u", 1), ("v", 3), ("w", None)]
    shelf.objects.remove(first["snapshot"])
    assert len(shelf.rows(second)) == 3
    full = shelf.run("USERS", USERS, mode="FULL", previous=second["snapshot"])
    assert shelf.rows(full) == [("v", 3), ("w", None)]

    shelf.put("f.csv", interactions(1000))
    first = shelf.run("INTERACTIONS", INTERACTIONS)
    shelf.put("f.csv", interactions(1500))
    second = shelf.run("INTERACTIONS", INTERACTIONS, mode="INCREMENTAL", previous=first["snapshot"])
    assert (second["rows"], second["total_rows"]) == (1500, 1500)


def test_a_step_that_runs_again_publishes_once(shelf: Shelf):
    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    assert shelf.run(job="same") == shelf.run(job="same")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_job_can_be_stopped(shelf: Shelf, after: int, monkeypatch: pytest.MonkeyPatch):
    shelf.put("d/1.csv", "ITEM_ID,GENRE,PRICE\na,A,1\n")
    shelf.put("d/2.csv", "ITEM_ID,GENRE,PRICE\nb,A,1\n")
    shelf.stop_after = after
    with pytest.raises(JobStopped):
        shelf.run(location="s3://b/d")
    assert not shelf.objects.exists("snapshots/job-1")


def test_the_demos_files_import(shelf: Shelf):
    kinds = {"interactions": "INTERACTIONS", "items": "ITEMS", "users": "USERS"}
    for name, kind in kinds.items():
        packed = resources.files("openpersonalize").joinpath("demo_data", f"{name}.csv.gz").read_bytes()
        data = gzip.decompress(packed)
        shelf.put("f.csv", data)
        header = data.split(b"\n", 1)[0].decode().strip().split(",")
        fields = [(column, "long") if column == "TIMESTAMP" else column for column in header]
        assert shelf.run(kind, schema(kind, *fields))["rows"] > 100


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 70), junk=st.binary(min_size=1, max_size=3))
def test_damage_gives_data_or_a_reason_and_never_a_crash(shelf: Shelf, place: int, junk: bytes):
    data = b'ITEM_ID,GENRE,PRICE\na,"x, y",1\nb,"\\"q\\"",2.5\nc,,3\nd,"li\nne",4\n'
    shelf.put("f.csv", data[:place] + junk + data[place + 1 :])
    try:
        result = shelf.run()
    except JobFailed:
        assert not shelf.objects.exists(f"snapshots/job-{shelf.jobs}")
    else:
        assert 1 <= len(shelf.rows(result)) <= 5


def test_junk_beside_the_data_is_passed_over_and_named(shelf: Shelf) -> None:
    shelf.put("in/a.csv", "ITEM_ID,GENRE,PRICE\na,x,1\n")
    for name in ("._a.csv", ".DS_Store", ".a.csv.crc", "_SUCCESS", "README.txt", "__MACOSX/a.csv"):
        shelf.put(f"in/{name}", "no data")
    assert len(shelf.rows(shelf.run(location="s3://b/in/"))) == 1
    (line,) = [line for line in shelf.lines if "passed over" in line]
    assert "README.txt" in line
    assert "_SUCCESS" in line
    assert ".a.csv.crc" in line
    assert "in/a.csv" not in line


def test_a_folder_of_nothing_but_junk_has_nothing_to_read(shelf: Shelf) -> None:
    shelf.put("in/_SUCCESS", "x")
    told = shelf.failure(location="s3://b/in/")
    assert told.startswith("Invalid Data location. No objects found at s3://b/in/. The server,")
    assert "buckets/b/in/ in its data folder" in told
    shelf.put("_items.crc", "ITEM_ID,GENRE,PRICE\na,x,1\n")
    assert shelf.run(location="s3://b/_items.crc")["rows"] == 1  # what is named is meant


@pytest.mark.parametrize(
    "location", ["https://b.s3.eu-west-1.amazonaws.com/in/", "https://s3.amazonaws.com/b/in/a.csv"]
)
def test_a_web_address_of_s3_is_read_as_its_location(shelf: Shelf, location: str) -> None:
    shelf.put("in/a.csv", "ITEM_ID,GENRE,PRICE\na,x,1\n")
    assert shelf.run(location=location)["rows"] == 1


def test_an_import_says_what_is_hardly_meant_and_how_many_ids_are_known(shelf: Shelf):
    shelf.put("f.csv", "ITEM_ID,GENRE,PRICE\n" + "".join(f"i{k}.0,NULL,1\n" for k in range(20)))
    items = shelf.run()
    assert 'WARNING: column GENRE: 20 rows with "NULL"' in shelf.lines[1]
    assert len(shelf.lines) == 2, "there are no interactions to compare with"
    shelf.put("f.csv", interactions(1000).replace(",i", ","))
    arguments: dict[str, Any] = {"dataset_type": "INTERACTIONS", "schema_text": INTERACTIONS}
    shelf.run(**arguments, others={"ITEMS": items["snapshot"]})
    assert shelf.lines[-1].startswith("WARNING: of the 20 items in the interactions, 0 are in the Items")
    shelf.put("f.csv", interactions(1000).replace(",click", ".0,click").replace(",17", ".0,17"))
    shelf.run(**arguments, others={"ITEMS": items["snapshot"]})
    assert shelf.lines[-1] == (
        "of the 20 items in the interactions, 20 are in the Items dataset, which has 20"
    )


def test_rows_that_claim_the_future_are_counted_and_told(shelf: Shelf):
    ahead = int(SystemClock().now()) + 730 * 86_400
    shelf.put("f.csv", interactions(1_000) + f"u1,i1,{ahead},click\nu2,i2,{ahead + 1},click\n")
    made = shelf.run("INTERACTIONS", INTERACTIONS)
    told = [line for line in shelf.lines if "claim to be later than this import" in line]
    assert len(told) == 1
    assert told[0].startswith("WARNING: 2 rows ")
    assert any(f"such as {ahead} (first in f.csv, line 1002)" in line for line in shelf.lines)
    assert [row[2] for row in shelf.rows(made)][-2:] == [ahead, ahead + 1]
    shelf.run("INTERACTIONS", INTERACTIONS, job="job-1")
    assert any("WARNING: 2 rows claim to be later" in line for line in shelf.lines)
