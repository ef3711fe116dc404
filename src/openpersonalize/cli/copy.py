"""``openpersonalize cp``: put files where imports look for them, and fetch what jobs wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ..errors import InvalidInput
from ..settings import read_settings
from .options import setting_options

_S3 = "s3://"


@click.command("cp")
@click.argument("source")
@click.argument("target")
@setting_options("data_dir", "s3")
def copy(source: str, target: str, **given: object) -> None:
    """Copy SOURCE to TARGET; one of them is a file, the other an s3://BUCKET/KEY.

    Without an S3 service, s3://BUCKET/KEY is a file in the data folder. A target that ends with / (or is a
    folder) takes the source's name.
    """
    from ..storage.bucket_service import open_buckets
    from ..storage.locations import check_location
    from ..storage.privacy import make_private

    settings = read_settings(given)
    buckets = open_buckets(settings)
    if target.startswith(_S3) and not source.startswith(_S3):
        path = Path(source)
        if not path.is_file():
            raise InvalidInput(f"{source} is not a file.")
        location = target + path.name if target.endswith("/") else target
        check_location(location)
        if not settings.data.exists():  # of one that exists, the server knows who may read it
            make_private(settings.data)
        with path.open("rb") as stream:
            buckets.write(location, stream)
        click.echo(f"{source} -> {location}")
    elif source.startswith(_S3) and not target.startswith(_S3):
        check_location(source)
        if not any(found.location == source for found in buckets.list(source)):
            raise InvalidInput(f"There is no object {source}.")
        path = Path(target)
        if path.is_dir() or target.endswith("/"):
            path = path / source.rsplit("/", 1)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        with buckets.open(source) as stream, path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1024 * 1024)
        click.echo(f"{source} -> {path}")
    else:
        raise InvalidInput("One of the two has to be an s3://BUCKET/KEY, the other a file.")
