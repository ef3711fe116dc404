"""Values that satisfy botocore's shapes, for every member of every operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

ARN = "arn:aws:personalize:us-east-1:000000000000:solution/films/0a1b2c3d"
INSTANT = datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=UTC)
BY_SHAPE: dict[str, Any] = {
    "Arn": ARN,
    "RoleArn": "arn:aws:iam::000000000000:role/Personalize",
    "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
    "S3Location": "s3://bucket/key.csv",
    "SchedulingExpression": "rate(7 days)",
    "DatasetType": "Interactions",
    "NextToken": "abc~",
    "TagKey": "équipe 1",
    "TagValue": "",
    "EventAttributionSource": "web page",
}


def sample(shape: Shape, *, only_required: bool = False) -> Any:
    """A value for `shape` with every member, or with the required ones only."""
    if shape.name in BY_SHAPE:
        return BY_SHAPE[shape.name]
    if shape.type_name == "structure":
        names = shape.required_members if only_required else shape.members
        return {name: sample(shape.members[name], only_required=only_required) for name in names}
    if shape.type_name == "list":
        return [sample(shape.member, only_required=only_required)]
    if shape.type_name == "map":
        return {str(sample(shape.key)): sample(shape.value, only_required=only_required)}
    if shape.type_name == "string":
        if shape.enum:
            return shape.enum[-1]
        return '{"a":1}' if shape.serialization.get("jsonvalue") else "Ab_1"
    if shape.type_name == "integer":
        return max(2, shape.metadata.get("min", 2))
    if shape.type_name in ("float", "double"):
        return 0.25
    if shape.type_name == "boolean":
        return True
    assert shape.type_name == "timestamp"
    return INSTANT


def plain(value: Any) -> Any:
    """`value` with instants as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value
