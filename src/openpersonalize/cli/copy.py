"""``openpersonalize cp``: put files where imports look for them, and fetch what jobs wrote."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
from botocore.exceptions import ClientError

from ..errors import InvalidInput
from ..settings import Settings, read_settings
from .connection import ENDPOINT, Connection
from .options import setting_options

_S3 = "s3://"


@click.command("cp")
@click.argument("source")
@click.argument("target")
@click.option(
    "--endpoint",
    metavar="URL",
    help=f"server to copy through  [default: {ENDPOINT}; with neither, or with --data-dir, a folder]",
)
@setting_options("data_dir", "s3", "region")
def copy(source: str, target: str, endpoint: str | None, **given: object) -> None:
    """Copy SOURCE to TARGET; one of them is a file, the other an s3://BUCKET/KEY.

    Through a running server where one is named, else into its data folder, where s3://BUCKET/KEY is a file
    without an S3 service. A target that ends with / (or is a folder) takes the source's name.
    """
    from ..storage.locations import check_location

    settings = read_settings(given)
    folder_named = given["data_dir"] is not None or given["s3"] is not None
    address = endpoint or (None if folder_named else os.environ.get(ENDPOINT))
    if target.startswith(_S3) and not source.startswith(_S3):
        path = Path(source)
        if not path.is_file():
            raise InvalidInput(f"{source} is not a file.")
        location = target + path.name if target.endswith("/") else target
        check_location(location)
        if address is not None:
            _send(Connection.of(address, {"region": settings.region}), path, location)
        else:
            _write(settings, path, location)
        click.echo(f"{source} -> {location}")
    elif source.startswith(_S3) and not target.startswith(_S3):
        check_location(source)
        path = Path(target)
        if path.is_dir() or target.endswith("/"):
            path = path / source.rsplit("/", 1)[1]
        if address is not None:
            _fetch(Connection.of(address, {"region": settings.region}), source, path)
        else:
            _read(settings, source, path)
        click.echo(f"{source} -> {path}")
    else:
        raise InvalidInput("One of the two has to be an s3://BUCKET/KEY, the other a file.")


def _send(connection: Connection, path: Path, location: str) -> None:
    bucket, key = _parts(location)
    connection.bucket(bucket).upload_file(str(path), bucket, key)


def _fetch(connection: Connection, location: str, path: Path) -> None:
    bucket, key = _parts(location)
    try:
        found = connection.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
            raise InvalidInput(f"There is no object {location}.") from error
        raise
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in found["Body"].iter_chunks(1024 * 1024):
            file.write(piece)


def _write(settings: Settings, path: Path, location: str) -> None:
    from ..storage.bucket_service import open_buckets
    from ..storage.privacy import make_private

    buckets = open_buckets(settings)
    if not settings.data.exists():  # of one that exists, the server knows who may read it
        make_private(settings.data)
    with path.open("rb") as stream:
        buckets.write(location, stream)
    if not (settings.data / "format").exists():
        click.echo(
            f"No server has used {settings.data} yet: name the folder of yours with --data-dir, or the server"
            " itself with --endpoint.",
            err=True,
        )


def _read(settings: Settings, location: str, path: Path) -> None:
    from ..storage.bucket_service import open_buckets

    buckets = open_buckets(settings)
    if not any(found.location == location for found in buckets.list(location)):
        raise InvalidInput(f"There is no object {location}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with buckets.open(location) as stream, path.open("wb") as file:
        shutil.copyfileobj(stream, file, 1024 * 1024)


def _parts(location: str) -> tuple[str, str]:
    bucket, _, key = location.removeprefix(_S3).partition("/")
    return bucket, key
