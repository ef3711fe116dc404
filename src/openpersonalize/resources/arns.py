"""Amazon resource names: what they are made of, and which kind of resource they name."""

from __future__ import annotations

import re
from typing import NamedTuple

SERVICE = "personalize"
_ARN = re.compile(r"arn:([a-z\d-]+):personalize:([a-z\d-]*):(\d{12}|):([a-z-]+)/([!-~]+)")


class Arn(NamedTuple):
    """The parts of ``arn:<partition>:personalize:<region>:<account>:<kind>/<rest>``.

    Attributes:
        partition: aws, aws-cn or aws-us-gov.
        region: empty for recipes, algorithms and feature transformations.
        account: 12 digits; empty where the region is.
        kind: the kind of resource, as `kind_of` says it.
        rest: everything behind the first slash.
    """

    partition: str
    region: str
    account: str
    kind: str
    rest: str


def parse_arn(text: str) -> Arn | None:
    """The parts of `text`, or None when it names nothing of this service."""
    match = _ARN.fullmatch(text)
    if match is None:
        return None
    partition, region, account, word, rest = match.groups()
    kind = "solution-version" if word == "solution" and "/" in rest else word
    return Arn(partition, region, account, kind, rest)


def kind_of(arn: str) -> str | None:
    """The kind of resource that `arn` names, e.g. "dataset-group"; a version of a solution, whose resource
    part is ``solution/<name>/<version>``, is a "solution-version". None when `arn` is not one of this
    service."""
    parsed = parse_arn(arn)
    return parsed.kind if parsed else None


def partition_of(region: str) -> str:
    """The partition that a region lies in."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def make_arn(account: str, region: str, resource_part: str) -> str:
    """The ARN of a resource of one account and region; `resource_part` is e.g. ``schema/films``."""
    return f"arn:{partition_of(region)}:{SERVICE}:{region}:{account}:{resource_part}"


def other_kind(arn: str, wanted: str | None) -> str:
    """What to add to the news that `arn` does not exist: a sentence where it names another kind of resource
    than `wanted`; else nothing."""
    kind = kind_of(arn)
    if wanted is None or kind is None or kind == wanted:
        return ""
    said = f" It is the ARN of a {kind.replace('-', ' ')}, and a {wanted.replace('-', ' ')}'s is wanted here"
    if (kind, wanted) == ("solution", "solution-version"):
        return f"{said}: ListSolutionVersions names those of a solution."
    if kind in ("solution", "solution-version") and wanted == "campaign":
        return f"{said}: ListCampaigns names those there are, CreateCampaign makes one of a version."
    if {kind, wanted} == {"campaign", "recommender"}:
        return f"{said}: GetRecommendations takes it as {kind}Arn."
    return f"{said}."


def elsewhere(arn: str, account: str, region: str) -> str:
    """What to add to the news that `arn` does not exist: a sentence where it is of another account than
    `account`, the server's, or of another region than `region`, that of the call; else nothing."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.account == "":
        return ""
    if parsed.account != account:
        return f" It is of account {parsed.account}; this server's is {account} (the setting account)."
    if parsed.region == region:
        return ""
    return f" It is of region {parsed.region}, and this call was made for {region}: the client's region."
