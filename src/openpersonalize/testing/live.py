"""A live server and a trained campaign on it, `LiveServer` and `LiveCampaign`: a recipe asked as users ask
it.

The server is a process of its own, with the packages that are installed; the clients are boto3's. From
nothing to the first answer it takes about four seconds for a recipe that trains in none.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import polars as pl
from botocore.config import Config

from ..datasets.sequences import Sequences

REGION = "eu-west-1"
START_SECONDS, STEP_SECONDS = 60.0, 120.0
"""Patience with the start of a server, and with each resource that is made."""

_POLL_SECONDS = 0.02
_NAMESPACE = "com.amazonaws.personalize.schema"


class LiveServer:
    """A server process on a data folder, for as long as a ``with`` block lasts."""

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Not started yet.

        Args:
            folder: an empty one, for data and log.
            options: of ``openpersonalize serve``, such as ``--minimum-data off``.
            environment: further variables, such as PYTHONPATH.
        """
        self.data, self.log = folder / "data", folder / "server.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._options, self._more = options, dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._session = boto3.session.Session()  # reads the services' models once

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENPERSONALIZE_"))}
        words = ["serve", "--port", str(self.port), "--data-dir", str(self.data), *self._options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "openpersonalize", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**clean, **self._more},
            )
        end = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"the server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self, service: str) -> Any:
        """boto3's client of ``personalize``, ``personalize-runtime`` or ``personalize-events``."""
        return self._session.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="AKIATEST000000000000",
            aws_secret_access_key="secret",  # noqa: S106 - a server without keys takes any
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _healthy(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False


@dataclass(frozen=True)
class LiveCampaign:
    """A campaign that answers, and what it was made from."""

    server: LiveServer
    group: str
    solution: str
    version: str
    arn: str

    def recommend(self, user: str | None = None, item: str | None = None, count: int = 10) -> list[str]:
        """The ids that GetRecommendations answers with."""
        asked = {"userId": user, "itemId": item}
        answer = self.server.client("personalize-runtime").get_recommendations(
            campaignArn=self.arn,
            numResults=count,
            **{name: value for name, value in asked.items() if value is not None},
        )
        return [entry["itemId"] for entry in answer["itemList"]]

    def metrics(self) -> dict[str, float]:
        """What GetSolutionMetrics tells of the version."""
        personalize = self.server.client("personalize")
        return dict(personalize.get_solution_metrics(solutionVersionArn=self.version)["metrics"])


def deployed(
    server: LiveServer,
    recipe: str,
    interactions: Sequences | pl.DataFrame | None,
    items: pl.DataFrame | None = None,
    *,
    name: str = "live",
    config: Mapping[str, Any] | None = None,
    search: bool = False,
) -> LiveCampaign:
    """Import, train and deploy through the API, and wait for each.

    Args:
        server: running, with ``--minimum-data off`` if the data is small.
        recipe: name of the recipe.
        interactions: USER_ID, ITEM_ID, TIMESTAMP, and perhaps EVENT_TYPE; None: the group has none.
        items: ITEM_ID and columns of text (categories) or numbers.
        name: of the resources.
        config: the solutionConfig.
        search: whether hyperparameters are searched (``performHPO``).
    """
    personalize = server.client("personalize")
    rows = _rows(interactions) if isinstance(interactions, Sequences) else interactions
    given = {"Interactions": rows, "Items": items}
    tables = {kind: table for kind, table in given.items() if table is not None}
    group = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    _active(personalize.describe_dataset_group, "datasetGroup", group)
    imports = [_import(server, personalize, group, name, kind, table) for kind, table in tables.items()]
    for job in imports:
        _active(personalize.describe_dataset_import_job, "datasetImportJob", job)
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=group,
        recipeArn=f"arn:aws:personalize:::recipe/{recipe}",
        performAutoTraining=False,
        performHPO=search,
        **({"solutionConfig": config} if config else {}),
    )["solutionArn"]
    _active(personalize.describe_solution, "solution", solution)
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    _active(personalize.describe_solution_version, "solutionVersion", version)
    campaign = personalize.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]
    _active(personalize.describe_campaign, "campaign", campaign)
    return LiveCampaign(server, group, solution, version, campaign)


def _rows(sequences: Sequences) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "USER_ID": sequences.users.series().gather(sequences.user),
            "ITEM_ID": sequences.items.series().gather(sequences.item),
            "TIMESTAMP": sequences.time,
            "EVENT_TYPE": ["click"] * len(sequences.item),
        }
    )


def _import(
    server: LiveServer, personalize: Any, group: str, name: str, kind: str, table: pl.DataFrame
) -> str:
    fields = [_field(column, dtype, kind) for column, dtype in table.schema.items()]
    schema = personalize.create_schema(
        name=f"{name}-{kind}",
        schema=json.dumps(
            {"type": "record", "name": kind, "namespace": _NAMESPACE, "fields": fields, "version": "1.0"}
        ),
    )["schemaArn"]
    dataset = personalize.create_dataset(
        name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=schema
    )["datasetArn"]
    path = server.data / "buckets" / name / f"{kind}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table.write_csv(text)
    path.write_text(text.getvalue())
    job = personalize.create_dataset_import_job(
        jobName=f"{name}-{kind}", datasetArn=dataset, dataSource={"dataLocation": f"s3://{name}/{kind}.csv"}
    )
    return str(job["datasetImportJobArn"])


def _field(column: str, dtype: pl.DataType, kind: str) -> dict[str, Any]:
    if column.endswith("TIMESTAMP"):
        return {"name": column, "type": "long"}
    if dtype.is_numeric():
        return {"name": column, "type": "double"}
    own = kind == "Items" and column != "ITEM_ID"
    return {"name": column, "type": "string", **({"categorical": True} if own else {})}


def _active(describe: Callable[..., Any], member: str, arn: str) -> None:
    began = time.monotonic()
    while True:
        found = describe(**{f"{member}Arn": arn})[member]
        if found["status"] == "ACTIVE":
            return
        assert not found["status"].endswith("FAILED"), found
        waited = time.monotonic() - began
        assert waited < STEP_SECONDS, f"{arn} is still {found['status']}"
        # Looking often takes the cores from the work that is waited for.
        time.sleep(min(_POLL_SECONDS + waited / 10, 0.25))
