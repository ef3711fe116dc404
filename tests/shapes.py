"""Strict check of an answer against the published service model, as it came over the wire.

The official client is lenient: it drops members it does not know and accepts timestamps of several forms.
`violations` is not: every member must be known, of the right JSON type, inside the model's limits, and there
when the model says so; nulls and numbers that are not finite are violations.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

SERVICES = ("personalize", "personalize-runtime", "personalize-events")
STATUSES = frozenset(
    f"{verb} {state}"
    for verb in ("CREATE", "DELETE", "UPDATE", "START", "STOP")
    for state in ("PENDING", "IN_PROGRESS")
) | {
    "ACTIVE",
    "INACTIVE",
    "CREATE FAILED",
    "CREATE STOPPING",
    "CREATE STOPPED",
    "UPDATE FAILED",
    "PENDING",
    "IN_PROGRESS",
    "COMPLETED",
    "FAILED",
}
ALSO_REQUIRED = {  # the model marks nearly nothing of an answer as required; clients rely on these
    "CreateDatasetGroup": ("datasetGroupArn",),
    "CreateSchema": ("schemaArn",),
    "CreateDataset": ("datasetArn",),
    "CreateDatasetImportJob": ("datasetImportJobArn",),
    "CreateDataDeletionJob": ("dataDeletionJobArn",),
    "CreateMetricAttribution": ("metricAttributionArn",),
    "UpdateMetricAttribution": ("metricAttributionArn",),
    "CreateEventTracker": ("eventTrackerArn", "trackingId"),
    "CreateFilter": ("filterArn",),
    "CreateSolution": ("solutionArn",),
    "CreateSolutionVersion": ("solutionVersionArn",),
    "CreateCampaign": ("campaignArn",),
    "UpdateCampaign": ("campaignArn",),
    "CreateRecommender": ("recommenderArn",),
    "UpdateRecommender": ("recommenderArn",),
    "StartRecommender": ("recommenderArn",),
    "StopRecommender": ("recommenderArn",),
    "UpdateDataset": ("datasetArn",),
    "UpdateSolution": ("solutionArn",),
    "GetSolutionMetrics": ("solutionVersionArn", "metrics"),
    "ListTagsForResource": ("tags",),
    "GetRecommendations": ("itemList", "recommendationId"),
    "GetPersonalizedRanking": ("personalizedRanking", "recommendationId"),
}
_CLASSES = {
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
}  # of the model's patterns
DATED = ("creationDateTime", "lastUpdatedDateTime")


@cache
def model(service: str) -> Any:
    """botocore's service model."""
    return botocore.session.get_session().get_service_model(service)


def violations(service: str, operation: str, body: bytes) -> list[str]:
    """Everything in the body of a successful answer that the model does not allow, each with its path."""
    shape = model(service).operation_model(operation).output_shape
    if shape is None or not shape.members:
        return [] if body in (b"", b"{}") else [f"$: expected an empty answer, got {body[:80]!r}"]
    try:
        answer = json.loads(body, parse_constant=_not_finite)
    except ValueError as error:
        return [f"$: not JSON: {error}"]
    found = list(_check(answer, shape, "$"))
    if isinstance(answer, dict):
        found += [f"$.{m}: missing" for m in ALSO_REQUIRED.get(operation, ()) if m not in answer]
        found += _describe(operation, answer)
    return found


def error_violations(headers: dict[str, str], body: bytes) -> list[str]:
    """Everything in an error answer that an AWS client could stumble over."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        return [f"$: not JSON: {error}"]
    found = []
    code = answer.get("__type")
    if not code:
        found.append("$.__type: missing")
    if headers.get("x-amzn-errortype") != code:
        found.append(f"x-amzn-ErrorType is {headers.get('x-amzn-errortype')!r}, __type is {code!r}")
    if not answer.get("message"):
        found.append("$.message: missing")
    if "x-amzn-requestid" not in headers:
        found.append("x-amzn-requestid: missing")
    return found


def _describe(operation: str, answer: dict[str, Any]) -> Iterator[str]:
    """Describe has one member, the resource, with its name, ARN and dates; List has its list and a token."""
    if operation.startswith("Describe"):
        if len(answer) != 1:
            yield f"$: expected one member, got {sorted(answer)}"
        for member, value in answer.items():
            if not any(name.endswith("Arn") for name in value):
                yield f"$.{member}: no ARN"
            yield from (f"$.{member}.{date}: missing" for date in DATED if date not in value)
    elif operation.startswith("List") and len(answer.keys() - {"nextToken"}) != 1:
        yield f"$: expected one list and nextToken, got {sorted(answer)}"


def _not_finite(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _check(value: Any, shape: Any, path: str) -> Iterator[str]:
    if value is None:
        yield f"{path}: null"
        return
    yield from _CHECKS[shape.type_name](value, shape, path)


def _structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: expected an object, got {value!r:.60}"
        return
    order = [member for member in shape.members if member in value]
    if order != [member for member in value if member in shape.members]:
        yield f"{path}: members are not in the order of the model: {list(value)}"
    for member, inner in value.items():
        if member not in shape.members:
            yield f"{path}.{member}: unknown member"
        else:
            yield from _check(inner, shape.members[member], f"{path}.{member}")
    yield from (f"{path}.{member}: missing" for member in shape.required_members if member not in value)


def _list(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected a list, got {value!r:.60}"
        return
    yield from _bounds(len(value), shape, path)
    for index, inner in enumerate(value):
        yield from _check(inner, shape.member, f"{path}[{index}]")


def _map(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: expected a map, got {value!r:.60}"
        return
    yield from _bounds(len(value), shape, path)
    for key, inner in value.items():
        yield from _check(key, shape.key, f"{path} key {key!r}")
        yield from _check(inner, shape.value, f"{path}[{key!r}]")


def _string(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{path}: expected a string, got {value!r:.60}"
        return
    yield from _bounds(len(value), shape, path)
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        yield f"{path}: {value!r} is not one of {enum}"
    if shape.name == "Status" and value not in STATUSES:
        yield f"{path}: unknown status {value!r}"
    # the model gives some roleArn members the pattern of Personalize's own ARNs, which no role can match
    pattern = shape.metadata.get("pattern")
    if pattern and not path.endswith(".roleArn") and not _compiled(pattern).fullmatch(value):
        yield f"{path}: {value!r:.80} does not match {pattern}"


def _integer(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield f"{path}: expected an integer, got {value!r:.60}"
    else:
        yield from _bounds(value, shape, path)


def _number(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        yield f"{path}: expected a number, got {value!r:.60}"


def _boolean(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{path}: expected a boolean, got {value!r:.60}"


def _timestamp(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1e9 < value < 4e9:
        yield f"{path}: expected epoch seconds, got {value!r:.60}"
    elif round(value, 3) != value:
        yield f"{path}: more than milliseconds: {value!r}"


def _bounds(size: float, shape: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"{path}: {size} is outside {low}..{high}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


_CHECKS = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def misspelt_attributes(database: Path) -> list[tuple[str, str]]:
    """(kind, attribute) of stored resources that no member of their Describe shape is named after:
    serialising drops such an attribute without a word. Empty where there is no database to read."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT kind, attributes FROM resources").fetchall()
    except sqlite3.Error:
        return []
    found = set()
    model = botocore.session.get_session().get_service_model("personalize")
    for kind, attributes in rows:
        words = "".join(word.capitalize() for word in kind.split("-"))
        (shape,) = model.operation_model(f"Describe{words}").output_shape.members.values()
        found.update((kind, name) for name in json.loads(attributes) if name not in shape.members)
    return sorted(found)
