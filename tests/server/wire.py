"""A live server in this process, with operations made up by the test."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import uvicorn
from botocore.config import Config

from openpersonalize.cli.serve import listening, server_options
from openpersonalize.clock import SystemClock
from openpersonalize.events.stores import open_attribution_counts
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.metadata_cache import MetadataCache
from openpersonalize.server.app import Application, create_app
from openpersonalize.server.connections import Limits
from openpersonalize.server.services import Services
from openpersonalize.settings import Settings, read_settings


def settings_for(folder: Path, **values: Any) -> Settings:
    return read_settings({"data_dir": str(folder), **values}, {})


def open_metadata_only(settings: Settings) -> Services:
    """Services of a process without jobs or campaigns: a real metadata store and counts, nothing else."""
    metadata = open_metadata_store(settings, SystemClock())
    installation: Any = SimpleNamespace(
        settings=settings,
        clock=SystemClock(),
        metadata=metadata,
        metadata_cache=MetadataCache(metadata.resources_version),
        attributions=open_attribution_counts(settings),
        log=SimpleNamespace(refusal=lambda: ""),
        close=metadata.close,
    )
    consumer = SimpleNamespace(is_alive=lambda: True)
    endpoints: Any = SimpleNamespace(close=lambda: None, consumer=consumer)
    return Services(installation, endpoints, None)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """The server's address and ways to speak to it."""

    port: int
    app: Application
    settings: Settings
    credentials: dict[str, str] = field(
        default_factory=lambda: {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, region: str = "eu-west-3", **more: Any) -> Any:
        options = {**self.credentials, **more}
        return boto3.Session(region_name=region).client(
            service,
            endpoint_url=self.endpoint,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
            **options,
        )

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def call(self, operation: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Reply:
        """A control plane call, unsigned."""
        return self.send(
            "POST", "/", body, {"X-Amz-Target": f"AmazonPersonalize.{operation}", **(headers or {})}
        )


@contextmanager
def wire(
    folder: Path, operations: Mapping[str, Any], limits: Limits | None = None, **values: Any
) -> Iterator[Wire]:
    """A server for as long as the block runs."""
    settings = settings_for(folder, **values)
    with listening("127.0.0.1", 0) as listener:
        app = create_app(
            settings,
            operations=operations,
            open_services=open_metadata_only,
        )
        ready = threading.Event()
        app.on_ready = ready.set
        server = uvicorn.Server(uvicorn.Config(app, **server_options(settings, limits)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(20), app.failure
            while not server.started:
                time.sleep(0.005)
            yield Wire(listener.getsockname()[1], app, settings)
        finally:
            server.should_exit = True
            thread.join(20)
