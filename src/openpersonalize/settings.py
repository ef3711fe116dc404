"""Every setting of a process: one row each, read once, at start.

A value comes from the command line, else from the environment (``OPENPERSONALIZE_<NAME>``), else from the
default here. A malformed value fails the start and names its key. Nothing else reads the environment, save
the S3 client, which follows the ordinary AWS variables.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .errors import StartError


@dataclass(frozen=True)
class Setting:
    """One row: the name, its default, what it means, and how text becomes a value."""

    name: str
    default: Any
    help: str
    parse: Callable[[str], Any] = str


def _flag(text: str) -> bool:
    if text.lower() in ("on", "true", "yes", "1"):
        return True
    if text.lower() in ("off", "false", "no", "0"):
        return False
    raise ValueError("write on or off")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("write a whole number") from None


def _period(text: str) -> str:
    if text != "immediate" and not re.fullmatch("[1-9][0-9]{0,5}[smh]", text):
        raise ValueError("write immediate, or a whole number of s, m or h")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"write one of {', '.join(allowed)}")
        return text

    return parse


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "address to listen on; anything but loopback needs an access key"),
    Setting("port", 8077, "port to listen on", _whole),
    Setting("data_dir", "./openpersonalize-data", "folder that holds everything durable"),
    Setting("data_group", "", "group of the system whose members may read the data folder; empty: none"),
    Setting("workers", 1, "server processes sharing the port", _whole),
    Setting("account", "000000000000", "AWS account id in every ARN"),
    Setting("region", "us-east-1", "region when a request is not signed"),
    Setting("database_url", "", "metadata database; empty: metadata.db in the data folder"),
    Setting(
        "s3",
        "auto",
        "where s3:// locations live: local folder, AWS itself, or as AWS_ENDPOINT_URL_S3 says",
        _one_of("auto", "local", "aws"),
    ),
    Setting(
        "s3_domain",
        "",
        "domain whose sub-domains are buckets to S3 clients, as those of localhost always are",
    ),
    Setting(
        "allowed_origins", "", "web pages that may call from a browser: origins with commas between, or *"
    ),
    Setting("max_body_bytes", 8 * 1024 * 1024, "largest request body", _whole),
    Setting("minimum_data", True, "refuse to train below Amazon's minimums (off for small fixtures)", _flag),
    Setting("quota_profile", "none", "aws: enforce Amazon's call rates", _one_of("none", "aws")),
    Setting(
        "filter_window", 0, "newest interactions per user and event type that filters see; 0 = all", _whole
    ),
    Setting(
        "item_refresh",
        "immediate",
        "how often new items and impressions reach exploration: immediate, or a period like 30m or 2h",
        _period,
    ),
    Setting(
        "first_automatic_training",
        55,
        "minutes after which a solution's first automatic training starts, unless somebody trained it",
        _whole,
    ),
    Setting("job_slots", 2, "heavy job steps that run at once", _whole),
    Setting("job_attempts", 3, "times a job step is tried when its process dies", _whole),
    Setting("threads", 0, "threads a training may use; 0 = all cores", _whole),
    Setting(
        "training_seconds",
        0,
        "seconds after which the encoder of a fit is to be done, if not as good as it gets; 0 = no limit",
        _whole,
    ),
    Setting("history_cache_mb", 256, "memory for users' recent histories and vectors, per process", _whole),
    Setting(
        "shed_after", 512, "requests in flight in one process above which new ones are throttled", _whole
    ),
    Setting(
        "max_connections",
        4096,
        "open connections of one process, as far as the limit of files allows",
        _whole,
    ),
    Setting("connections_per_address", 2048, "of them from one address, at most half", _whole),
    Setting("recommendation_log_days", 14, "days an issued recommendationId is remembered", _whole),
    Setting("recommendation_log_mb", 1024, "size of the memory of issued recommendationIds", _whole),
    Setting(
        "segment_rows",
        100_000,
        "streamed events of a dataset that become one segment; the database keeps up to twice as many",
        _whole,
    ),
    Setting("quota_dataset_groups", 5, "active dataset groups per region", _whole),
    Setting("quota_schemas", 500, "schemas per region", _whole),
    Setting("quota_import_jobs", 5, "import jobs pending or in progress per region", _whole),
    Setting("quota_solutions", 10, "active solutions per dataset group", _whole),
    Setting("quota_solution_versions", 20, "solution versions pending or in progress per region", _whole),
    Setting("quota_campaigns", 5, "campaigns per dataset group", _whole),
    Setting("quota_filters", 30, "filters per dataset group", _whole),
    Setting("quota_filter_fields", 20, "distinct dataset fields over all filters of a dataset group", _whole),
    Setting(
        "quota_training_items",
        0,
        "items that a training considers, the newest; 0 = as its recipe says",
        _whole,
    ),
    Setting(
        "quota_training_interactions",
        0,
        "interactions that a training considers, the newest; 0 = as its recipe says",
        _whole,
    ),
    Setting(
        "log_level", "info", "debug, info, warning or error", _one_of("debug", "info", "warning", "error")
    ),
)


@dataclass(frozen=True)
class Settings:
    """The values of all settings, fixed for the life of a process. See `SETTINGS` for their meaning."""

    host: str
    port: int
    data_dir: str
    data_group: str
    workers: int
    account: str
    region: str
    database_url: str
    s3: str
    s3_domain: str
    allowed_origins: str
    max_body_bytes: int
    minimum_data: bool
    quota_profile: str
    filter_window: int
    item_refresh: str
    first_automatic_training: int
    job_slots: int
    job_attempts: int
    threads: int
    training_seconds: int
    history_cache_mb: int
    shed_after: int
    max_connections: int
    connections_per_address: int
    recommendation_log_days: int
    recommendation_log_mb: int
    segment_rows: int
    quota_dataset_groups: int
    quota_schemas: int
    quota_import_jobs: int
    quota_solutions: int
    quota_solution_versions: int
    quota_campaigns: int
    quota_filters: int
    quota_filter_fields: int
    quota_training_items: int
    quota_training_interactions: int
    log_level: str

    @property
    def item_refresh_seconds(self) -> float:
        """`item_refresh` in seconds; 0: at once."""
        period = self.item_refresh
        if period == "immediate":
            return 0.0
        return float(period[:-1]) * {"s": 1, "m": 60, "h": 3600}[period[-1]]

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data_dir).expanduser().resolve()

    def to_json(self) -> str:
        """All values as JSON, for handing them to a child process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


def read_settings(
    overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings from the command line's `overrides` (None = not given), the environment and the defaults.

    Raises:
        StartError: a value is malformed; the sentence names the key.
    """
    env = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for row in SETTINGS:
        given = (overrides or {}).get(row.name)
        key = f"OPENPERSONALIZE_{row.name.upper()}"
        if given is not None:
            values[row.name] = given
        elif key in env:
            try:
                values[row.name] = row.parse(env[key])
            except ValueError as error:
                raise StartError(f"{key}={env[key]!r} cannot be read ({error}): {row.help}.") from error
        else:
            values[row.name] = row.default
    _check(values)
    return Settings(**values)


_POSITIVE = frozenset(
    {
        "workers",
        "job_slots",
        "job_attempts",
        "max_body_bytes",
        "shed_after",
        "max_connections",
        "connections_per_address",
        "segment_rows",
    }
)
"""Settings of which zero makes no sense; no number may be negative."""


def _check(values: Mapping[str, Any]) -> None:
    account = values["account"]
    if not re.fullmatch("[0-9]{12}", account):
        raise StartError(f"account must be 12 digits, not {account!r}.")
    if not re.fullmatch("[a-z0-9-]{1,64}", values["region"]):
        raise StartError(f"region must be a name like us-east-1, not {values['region']!r}.")
    if not values["data_dir"]:
        raise StartError("data_dir must name a folder.")
    if not 0 <= values["port"] <= 65535:
        raise StartError(f"port must be between 0 and 65535, not {values['port']}.")
    try:
        _period(values["item_refresh"])
    except ValueError as error:
        raise StartError(f"item_refresh={values['item_refresh']!r} cannot be read ({error}).") from error
    for name, value in values.items():
        least = 1 if name in _POSITIVE else 0
        if type(value) is int and value < least:
            raise StartError(f"{name} must be at least {least}, not {value}.")


assert [f.name for f in fields(Settings)] == [s.name for s in SETTINGS]
