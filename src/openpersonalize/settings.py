"""Settings of a process, each a member of `Settings` with its meaning, read once, at start.

A value comes from the command line, else from the environment (``OPENPERSONALIZE_<NAME>``), else from the
default here. A malformed value fails the start and names its key. Nothing else reads the environment, save
the S3 client, which follows the ordinary AWS variables, and traces, which follow OpenTelemetry's.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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


def _address(text: str) -> str:
    parts = urlsplit(text)
    extra = parts.query or parts.fragment or parts.username or parts.password
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or extra):
        raise ValueError("write an address like https://shop.example/personalize, or nothing")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"write one of {', '.join(allowed)}")
        return text

    return parse


def _setting(default: Any, meaning: str, *, parse: Callable[[str], Any] | None = None, least: int = 0) -> Any:
    """A member of `Settings`: its default, what it means, how text becomes a value when its type does not say
    so, and the least value of a number."""
    usual = {bool: _flag, int: _whole, str: str}[type(default)]
    return field(default=default, metadata={"help": meaning, "parse": parse or usual, "least": least})


@dataclass(frozen=True)
class Settings:
    """The values of all settings, fixed for the life of a process."""

    host: str = _setting("127.0.0.1", "address to listen on; anything but loopback needs an access key")
    port: int = _setting(8077, "port to listen on")
    data_dir: str = _setting("./openpersonalize-data", "folder that holds everything durable")
    data_group: str = _setting("", "group of the system whose members may read the data folder; empty: none")
    workers: int = _setting(1, "server processes sharing the port", least=1)
    account: str = _setting("000000000000", "AWS account id in every ARN")
    region: str = _setting("us-east-1", "region when a request is not signed")
    database_url: str = _setting("", "metadata database; empty: metadata.db in the data folder")
    s3: str = _setting(
        "auto",
        "where s3:// locations live: local folder, AWS itself, or as AWS_ENDPOINT_URL_S3 says",
        parse=_one_of("auto", "local", "aws"),
    )
    s3_domain: str = _setting(
        "", "domain whose sub-domains are buckets to S3 clients, as those of localhost always are"
    )
    allowed_origins: str = _setting(
        "", "web pages that may call from a browser: origins with commas between, or *"
    )
    max_body_bytes: int = _setting(8 * 1024 * 1024, "largest request body", least=1)
    minimum_data: bool = _setting(True, "refuse to train below Amazon's minimums (off for small fixtures)")
    quota_profile: str = _setting("none", "aws: enforce Amazon's call rates", parse=_one_of("none", "aws"))
    strict_filter_values: bool = _setting(
        False, "refuse filterValues whose keys no placeholder of the filter has"
    )
    filter_window: int = _setting(0, "newest interactions per user and event type that filters see; 0 = all")
    item_refresh: str = _setting(
        "immediate",
        "how often new items and impressions reach exploration: immediate, or a period like 30m or 2h",
        parse=_period,
    )
    first_automatic_training: int = _setting(
        55, "minutes after which a solution's first automatic training starts, unless somebody trained it"
    )
    job_slots: int = _setting(2, "heavy job steps that run at once", least=1)
    job_attempts: int = _setting(3, "times a job step is tried when its process dies", least=1)
    threads: int = _setting(
        0, "threads a training may use; 0 = the cores, divided by the heavy steps that run when it begins"
    )
    training_seconds: int = _setting(
        0, "seconds after which the encoder of a fit is to be done, if not as good as it gets; 0 = no limit"
    )
    training_seed: int = _setting(
        0, "seed of a training's random choices: the same data and the same seed give the same model"
    )
    sentence_encoder: str = _setting(
        "",
        "folder with model.onnx and tokenizer.json, by which aws-semantic-similarity reads too; empty: none",
    )
    kept_models: int = _setting(
        3, "models of a solution that are kept, its newest, besides those in use; 0 = all"
    )
    history_cache_mb: int = _setting(256, "memory for users' recent histories and vectors, per process")
    newcomers_mb: int = _setting(
        128,
        "memory of each deployed version for items that came after training; of more, the best known stay",
        least=1,
    )
    shed_after: int = _setting(
        512, "requests in flight in one process above which new ones are throttled", least=1
    )
    max_connections: int = _setting(
        4096, "open connections of one process, as far as the limit of files allows", least=1
    )
    connections_per_address: int = _setting(2048, "of them from one address, at most half", least=1)
    recommendation_log_days: int = _setting(14, "days an issued recommendationId is remembered")
    recommendation_log_mb: int = _setting(1024, "size of the memory of issued recommendationIds")
    segment_rows: int = _setting(
        100_000,
        "streamed events of a dataset that become one segment; the database keeps up to twice as many",
        least=1,
    )
    quota_dataset_groups: int = _setting(5, "active dataset groups per region")
    quota_regions: int = _setting(100, "regions that hold resources; a caller names them freely")
    quota_schemas: int = _setting(500, "schemas per region")
    quota_import_jobs: int = _setting(5, "import jobs pending or in progress per region")
    quota_data_deletion_jobs: int = _setting(5, "data deletion jobs pending or in progress per dataset group")
    quota_export_jobs: int = _setting(5, "export jobs pending or in progress per region")
    quota_batch_inference_jobs: int = _setting(5, "batch inference jobs pending or in progress per region")
    quota_batch_segment_jobs: int = _setting(5, "batch segment jobs pending or in progress per region")
    quota_segment_queries: int = _setting(
        0, "lines of an input file of a batch segment job; 0 = Amazon's 500 of items, 10 of attributes"
    )
    quota_theme_lines: int = _setting(100, "lines of a batch inference job that generates themes")
    quota_solutions: int = _setting(10, "active solutions per dataset group")
    quota_solution_versions: int = _setting(20, "solution versions pending or in progress per region")
    quota_campaigns: int = _setting(5, "campaigns per dataset group")
    quota_recommenders: int = _setting(5, "recommenders per dataset group")
    quota_filters: int = _setting(30, "filters per dataset group")
    quota_filter_fields: int = _setting(20, "distinct dataset fields over all filters of a dataset group")
    quota_training_items: int = _setting(
        0, "items that a training considers, the newest; 0 = as its recipe says"
    )
    quota_training_interactions: int = _setting(
        0, "interactions that a training considers, the newest; 0 = as its recipe says"
    )
    health_free_mb: int = _setting(
        512, "free megabytes on the disk of the data folder below which /health says degraded"
    )
    public_url: str = _setting(
        "",
        "address that clients use when a proxy stands in front, path included: https://shop.example/ai",
        parse=_address,
    )
    access_log: bool = _setting(False, "a line in the log for each request")
    log_format: str = _setting("text", "text or json: the form of log lines", parse=_one_of("text", "json"))
    log_level: str = _setting(
        "info", "debug, info, warning or error", parse=_one_of("debug", "info", "warning", "error")
    )

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


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(row.name, row.default, row.metadata["help"], row.metadata["parse"]) for row in fields(Settings)
)
_PREFIX = "OPENPERSONALIZE_"
_LEAST: Mapping[str, int] = {row.name: row.metadata["least"] for row in fields(Settings)}


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
        key = f"{_PREFIX}{row.name.upper()}"
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


def unknown_variables(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables that look like settings and are none, each with the one that was likely meant, or ""."""
    known = [row.name.upper() for row in SETTINGS]
    unknown = sorted(
        {name.removeprefix(_PREFIX) for name in environment if name.startswith(_PREFIX)} - {*known}
    )
    likely = {name: difflib.get_close_matches(name, known, 1, 0.75) for name in unknown}
    return [(f"{_PREFIX}{name}", f"{_PREFIX}{likely[name][0]}" if likely[name] else "") for name in unknown]


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
    for name, check in (("item_refresh", _period), ("public_url", _address)):
        try:
            check(values[name])
        except ValueError as error:
            raise StartError(f"{name}={values[name]!r} cannot be read ({error}).") from error
    for name, value in values.items():
        if type(value) is int and value < _LEAST[name]:
            raise StartError(f"{name} must be at least {_LEAST[name]}, not {value}.")
