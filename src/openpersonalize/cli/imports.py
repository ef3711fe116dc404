"""``openpersonalize import``: a file into a dataset of a running server, with everything it finds wrong."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInput, OpenPersonalizeError
from .connection import Connection, connection_options, page_of_job
from .conversion import Conversion
from .job_bar import job_bar, stage_of
from .jobs import place_of
from .naming import DATASETS, GROUPS, found, listed

BUCKET = "imports"
_SHOWN = 20
_HINT = (
    "A file as a shop exports it, with other names of columns, separators, dates or encoding, is read with"
    " --convert; `openpersonalize validate` says how."
)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--group", help="dataset group, by name or ARN  [default: the only one]")
@click.option("--type", "kind", help="dataset type  [default: by the file's columns]")
@click.option("--add", is_flag=True, help="add to the rows that are there  [default: replace them]")
@click.option("--convert", is_flag=True, help="read it as quickstart does: usual names, dates, separators")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
def import_file(
    file: Path,
    group: str | None,
    kind: str | None,
    add: bool,
    convert: bool,
    endpoint: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Upload FILE through the server and import it into a dataset; exit code 1 when the import fails."""
    connection = Connection.of(endpoint, given)
    personalize = connection.client("personalize")
    with tempfile.TemporaryDirectory(prefix="openpersonalize-", ignore_cleanup_errors=True) as place:
        source, name = file, file.name
        if convert:
            one = _converted(file, kind, Path(place))
            if not as_json:
                for sentence in one.words():
                    click.echo(f"  {sentence}")
            source, kind = one.path, one.adaptation.dataset_type
            name = f"{file.name.partition('.')[0]}.csv"
        dataset = _dataset(connection, source, group, kind)
        key = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        connection.bucket(BUCKET).upload_file(str(source), BUCKET, key)
    job = personalize.create_dataset_import_job(
        jobName=f"import-{time.time_ns()}",
        datasetArn=dataset,
        dataSource={"dataLocation": f"s3://{BUCKET}/{key}"},
        importMode="INCREMENTAL" if add else "FULL",
    )["datasetImportJobArn"]
    failure = ""
    try:
        with job_bar("Import", quiet=as_json) as moved:
            connection.follow(
                lambda: personalize.describe_dataset_import_job(datasetImportJobArn=job)["datasetImportJob"],
                job,
                lambda progress: moved(*stage_of(progress)),
            )
            moved(1.0, "", None)
    except OpenPersonalizeError as error:
        failure = error.message
    _tell(connection, job, failure, as_json, "" if convert else _HINT)
    if failure:
        sys.exit(1)


def _converted(file: Path, kind: str | None, place: Path) -> Conversion:
    """The file as an import takes it.

    Raises:
        InvalidInput: it is not understood, or what it says would be refused.
    """
    from ..datasets.adaptation import Adaptation
    from ..datasets.schemas import dataset_type_named

    one = Conversion.of(Adaptation.of(file, place, dataset_type_named(kind) if kind else None), place)
    if one.wrong:
        raise InvalidInput(f"The file cannot be used. {'; '.join(one.wrong[:_SHOWN])}")
    return one


def _dataset(connection: Connection, file: Path, group: str | None, kind: str | None) -> str:
    from ..datasets.column_names import likely_type
    from ..datasets.csv_text import CsvText
    from ..datasets.schemas import dataset_type_named, spelled

    with file.open("rb") as stream:
        header = CsvText(stream, 64 * 1024).header
    wanted = dataset_type_named(kind) if kind else likely_type(header, file.name)
    if wanted is None:
        raise InvalidInput(
            f"Which dataset {file.name} is for is not plain: say --type Interactions, Items or Users. {_HINT}"
        )
    arn = found(connection, GROUPS, group)
    for one in listed(connection, DATASETS, datasetGroupArn=arn):
        if one["datasetType"].upper() == wanted:
            return str(one["datasetArn"])
    raise InvalidInput(f"The dataset group has no {spelled(wanted)} dataset.")


def _tell(connection: Connection, job: str, failure: str, as_json: bool, hint: str) -> None:
    report = connection.job(job)
    lines = [line["text"] for line in report.get("lines", ())]
    problems: list[dict[str, Any]] = (
        connection.page(f"{page_of_job(job)}/problems")["problems"] if failure else []
    )
    if as_json:
        click.echo(
            json.dumps(
                {"datasetImportJobArn": job, "status": report.get("status"), "failureReason": failure or None,
                 "lines": lines, "problems": problems},
                indent=2,
            )
        )  # fmt: skip
        return
    for line in lines:
        click.echo(f"  {line}")
    for one in problems[:_SHOWN]:
        click.echo(f"  {place_of(one)}: {one['what']}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"  and {len(problems) - _SHOWN:,} more: openpersonalize jobs {job}", err=True)
    if problems and hint:
        click.echo(hint, err=True)
    if failure:
        click.echo(failure if not problems else f"{job}: the import failed, nothing was changed.", err=True)
