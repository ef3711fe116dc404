"""``openpersonalize validate``: what an import of CSV files would complain about, all at once."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..errors import InvalidInput
from ..settings import read_settings
from .conversion import Conversion, wrong_of
from .options import setting_options

if TYPE_CHECKING:
    from ..datasets.inspection import Inspection

_SHOWN = 20
_SHOWN_REFUSED = 3


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Avro record of a file, named after its dataset type; repeatable  [default: by header and values]",
)
@click.option("--type", "kind", help="dataset type of the one file  [default: by its columns]")
@setting_options("minimum_data")
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def validate(
    files: tuple[Path, ...], schemas: tuple[Path, ...], kind: str | None, as_json: bool, **given: Any
) -> None:
    """Check CSV files as an import and a training would, and name every problem at once; no server is needed.

    Where ``quickstart`` and ``import --convert`` read a file that an import refuses, that is told, and how
    they understand it. Give the files of one dataset group together, so that their ids are compared. Exit
    codes: 0, an import takes them as they are; 1, there are problems; 2, it could not be checked.
    """
    from ..datasets.inspection import between, inspect

    settings = read_settings(given)
    texts = _given(schemas)
    found: dict[str, Inspection] = {}
    typed = _typed(files, kind, texts)
    for path, one in typed.items():
        found[one] = inspect(
            partial(_open, path),
            path.name,
            one,
            texts.get(one),
            now=time.time(),
            minimum_data=settings.minimum_data,
        )
    relations = list(between(found))
    converted: dict[str, list[str]] = {}
    refused: dict[str, str] = {}
    for path, one in typed.items():
        if one not in texts and wrong_of(found[one]):
            try:
                converted[one] = _converted(path, one)
            except InvalidInput as error:
                refused[one] = error.message
    if as_json:
        click.echo(json.dumps(_record(found, converted, refused, relations), indent=2, ensure_ascii=False))
    else:
        for kind, inspection in found.items():
            _show(inspection, converted.get(kind), refused.get(kind))
        for sentence in relations:
            click.echo(sentence[:1].upper() + sentence[1:])
    if any(one.problem_count for one in found.values()):
        sys.exit(1)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _typed(files: tuple[Path, ...], kind: str | None, texts: Mapping[str, str]) -> dict[Path, str]:
    """The dataset type of each file.

    Raises:
        InvalidInput: it cannot be told, or two files have the same.
    """
    from ..datasets.column_names import likely_type
    from ..datasets.file_forms import separator_of
    from ..datasets.schemas import DATASET_TYPES, dataset_type_named, spelled

    if kind is not None:
        chosen = dataset_type_named(kind)
        if chosen is None or len(files) > 1:
            names = ", ".join(map(spelled, DATASET_TYPES))
            raise InvalidInput(f"--type is one of {names}, and for one file.")
        return {files[0]: chosen}
    if len(files) == len(texts) == 1:
        return {files[0]: next(iter(texts))}
    found: dict[Path, str] = {}
    for path in files:
        header = _header(path)
        if len(header) == 1:  # another separator is a problem that the inspection names
            header = header[0].split(separator_of(header[0]))
        one = likely_type(header, path.name) or ("INTERACTIONS" if path == files[0] else None)
        if one is None:
            raise InvalidInput(
                f"{path.name} has neither the columns of interactions nor of items or users; check it alone,"
                " with --type."
            )
        if one in found.values():
            raise InvalidInput(f"Two of the files look like {spelled(one)}; check them apart.")
        found[path] = one
    return found


def _header(path: Path) -> list[str]:
    """The names in a file's first row, also where it is packed or not UTF-8; [] if it is no text."""
    from ..datasets.csv_text import CsvText
    from ..datasets.encodings import PlainText

    with path.open("rb") as stream:
        text = CsvText(stream, 64 * 1024)
    if not text.faults:
        return text.header
    with tempfile.TemporaryDirectory(prefix="openpersonalize-", ignore_cleanup_errors=True) as place:
        try:
            plain = PlainText.of(path, Path(place))
        except InvalidInput:
            return []
        with plain.path.open("rb") as stream:
            return CsvText(stream, 64 * 1024).header


def _converted(path: Path, kind: str) -> list[str]:
    """How a file is understood that an import refuses for its form.

    Raises:
        InvalidInput: it cannot be converted either.
    """
    from ..datasets.adaptation import Adaptation

    with tempfile.TemporaryDirectory(prefix="openpersonalize-", ignore_cleanup_errors=True) as place:
        one = Conversion.of(Adaptation.of(path, Path(place), kind), Path(place))
    if one.wrong:
        raise InvalidInput("; ".join(one.wrong[:_SHOWN_REFUSED]))
    return [f"{one.adaptation.rows:,} rows", *one.words(), *one.too_small]


def _given(paths: tuple[Path, ...]) -> dict[str, str]:
    from ..datasets.schema_rules import check_schema_for
    from ..datasets.schemas import dataset_type_named, parse_schema

    texts: dict[str, str] = {}
    for path in paths:
        try:
            text = path.read_text("utf-8")
            schema = parse_schema(text)
            kind = dataset_type_named(schema.name)
            if kind is None:
                raise InvalidInput(f"its record is named {schema.name!r}, not after a dataset type")
            check_schema_for(schema, kind, None)
        except (InvalidInput, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: {getattr(error, 'message', error)}.") from error
        texts[kind] = text
    return texts


def _record(
    found: Mapping[str, Inspection],
    converted: Mapping[str, list[str]],
    refused: Mapping[str, str],
    relations: list[str],
) -> dict[str, Any]:
    from ..datasets.schemas import spelled

    return {
        "ok": not any(one.problem_count for one in found.values()),
        "files": [
            {
                "file": one.file,
                "datasetType": spelled(kind),
                "rows": one.rows,
                "problem_count": one.problem_count,
                "problems": [
                    {"line": each.line, "column": each.column, "what": each.what} for each in one.problems
                ],
                "notes": one.notes,
                "converted": converted.get(kind),
                "not_converted": refused.get(kind),
                "schema": None if one.schema is None else json.loads(one.schema),
            }
            for kind, one in found.items()
        ],
        "notes": relations,
    }


def _show(found: Inspection, converted: list[str] | None, refused: str | None) -> None:
    from ..datasets.schemas import spelled

    verdict = f"{found.problem_count:,} problems" if found.problem_count != 1 else "1 problem"
    click.secho(f"{found.file}: {spelled(found.dataset_type)}, {found.rows:,} rows, {verdict}", bold=True)
    for problem in found.problems[:_SHOWN]:
        place = f"line {problem.line}" if problem.line else "the whole file"
        column = f", column {problem.column}" if problem.column else ""
        click.echo(f"  {place}{column}: {problem.what}")
    if found.problem_count > _SHOWN:
        click.echo(f"  and {found.problem_count - _SHOWN:,} more (--json lists the first 10,000)")
    for sentence in found.notes:
        click.echo(f"  {sentence}")
    if converted is not None:
        click.echo("  `openpersonalize quickstart` and `openpersonalize import --convert` read it as it is:")
        for sentence in converted:
            click.echo(f"    {sentence}")
    if refused is not None:
        click.echo(
            "  `openpersonalize quickstart` and `openpersonalize import --convert` do not read it either:"
        )
        click.echo(f"    {refused}")
