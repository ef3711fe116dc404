"""Connection to a running server, here or elsewhere, as the commands of an operator use it: `Connection`.

It speaks to the AWS operations through boto3 and to the pages under ``/v1/`` directly, both signed with the
access key that the environment has, for a server with keys; one without takes any.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, TypeVar

import boto3
import click
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from ..errors import OpenPersonalizeError
from ..settings import Settings, read_settings
from .environment import server_address
from .options import setting_options

Command = TypeVar("Command", bound=Callable[..., Any])

ENDPOINT = "AWS_ENDPOINT_URL_PERSONALIZE"
_SECONDS = 10
_GO_ON = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists", "AccessDenied")
_POLL = 0.2
RESTART_SECONDS = 60.0
"""A server that was reached before may be away for so long, while it is started again."""
_SIGN = " This server has access keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of "
_READS = "an admin or read key (`openpersonalize key create --role read`)."
_CHANGES = "an admin key (`openpersonalize key create --role admin`)."


class NobodyAnswers(OpenPersonalizeError):
    """No server answers at the address, or one that is starting or stopping."""


def connection_options(command: Command) -> Command:
    """The options that say which server is meant."""
    command = setting_options("host", "port", "region")(command)
    return click.option(
        "--endpoint", metavar="URL", help=f"server to ask  [default: {ENDPOINT}, or --host and --port]"
    )(command)


class Connection:
    """A server that may be asked.

    Attributes:
        address: its URL. region: the one that resources are looked for in.
    """

    def __init__(self, address: str, region: str) -> None:
        self.address = address.rstrip("/")
        self.region = region
        if not self.address.startswith(("http://", "https://")):
            raise OpenPersonalizeError(f"{self.address} is no http address.")
        self._signs = "AWS_ACCESS_KEY_ID" in os.environ or "AWS_PROFILE" in os.environ
        self._session = boto3.Session(
            region_name=region,
            **({} if self._signs else {"aws_access_key_id": "local", "aws_secret_access_key": "local"}),
        )

    @classmethod
    def of(cls, endpoint: str | None, given: Mapping[str, object]) -> Connection:
        """The server that the options of a command name."""
        settings = read_settings(given)
        named = given.get("region") or os.environ.get("AWS_REGION") or settings.region
        return cls(named_address(endpoint, settings), str(named))

    def client(self, service: str) -> Any:
        """A boto3 client; paths of S3 are those of one host."""
        config = Config(
            connect_timeout=_SECONDS,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
        )
        return self._session.client(service, endpoint_url=self.address, config=config)

    def bucket(self, name: str) -> Any:
        """A client of S3, for which a bucket is made unless it is there. A key that may make none is told so
        by what it does next."""
        s3 = self.client("s3")
        try:
            s3.create_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GO_ON:
                raise
        return s3

    def page(self, path: str, request_body: object = None, *, change: bool = False) -> Any:
        """A page beside the operations, as JSON; with a `request_body` (JSON), that is sent to it. `change`:
        the page is to do something.

        Raises:
            NobodyAnswers: the sentence says what to do.
            OpenPersonalizeError: it refuses; the sentence says what to do.
        """
        address = self.address + path
        body = None if request_body is None else json.dumps(request_body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        method = "GET" if body is None and not change else "POST"
        request = AWSRequest(method, address, headers=headers, data=body)
        credentials = self._session.get_credentials() if self._signs else None
        if credentials is not None:  # a server without keys ignores it
            SigV4Auth(credentials, "personalize", self.region).add_auth(request)
        try:
            sent = dict(request.headers.items())
            prepared = urllib.request.Request(address, body, sent, method=method)  # noqa: S310 (checked)
            with urllib.request.urlopen(prepared, timeout=_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            hint = _SIGN + (_CHANGES if change else _READS) if error.code == HTTPStatus.FORBIDDEN else ""
            kind = NobodyAnswers if error.code == HTTPStatus.SERVICE_UNAVAILABLE else OpenPersonalizeError
            raise kind(f"{address} answered {error.code}: {_message(error.read())}{hint}") from error
        except (OSError, ValueError, HTTPException) as error:
            raise NobodyAnswers(
                f"No server answers at {self.address} ({error}): start one with `openpersonalize serve`."
            ) from error

    def job(self, arn: str) -> dict[str, Any]:
        """The job of a resource; empty while it has none."""
        try:
            found: dict[str, Any] = self.page(page_of_job(arn))
        except OpenPersonalizeError as error:
            if (
                isinstance(error.__cause__, urllib.error.HTTPError)
                and error.__cause__.code == HTTPStatus.NOT_FOUND
            ):
                return {}
            raise
        return found

    def follow(
        self,
        describe: Callable[[], Mapping[str, Any]],
        arn: str,
        moved: Callable[[Mapping[str, Any]], None],
        restart_seconds: float = RESTART_SECONDS,
    ) -> Mapping[str, Any]:
        """Wait until a resource is ACTIVE, also while the server is started again: its jobs go on then.

        Args:
            describe: its description. moved: told the progress of its job.
            restart_seconds: how long nobody may answer.

        Raises:
            OpenPersonalizeError: it failed; the sentence is its failureReason.
            NobodyAnswers, or an exception of botocore: the server stays away.
        """
        answered = time.monotonic()
        while True:
            try:
                found = describe()
                if found["status"] == "ACTIVE":
                    return found
                if "FAILED" in found["status"] or "STOPPED" in found["status"]:
                    raise OpenPersonalizeError(f"{arn}: {found['status']}: {found.get('failureReason')}")
                moved(self.job(arn).get("progress") or {})
                answered = time.monotonic()
            except (NobodyAnswers, HTTPClientError, NotConnected, ClientError) as error:
                if isinstance(error, ClientError) and _status(error) != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                if time.monotonic() > answered + restart_seconds:
                    raise
            time.sleep(_POLL)


def page_of_job(arn: str) -> str:
    """The path of the page of a resource's newest job."""
    return f"/v1/jobs/{urllib.parse.quote(arn, safe='')}"


def named_address(endpoint: str | None, settings: Settings) -> str:
    """The URL that an option, the environment or the settings name."""
    return endpoint or os.environ.get(ENDPOINT) or server_address(settings.host, settings.port)


def _status(error: ClientError) -> int:
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def in_one_sentence(error: Exception) -> OpenPersonalizeError:
    """What boto3 raised, for people."""
    if isinstance(error, ClientError):
        return OpenPersonalizeError(
            f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        )
    if isinstance(error, HTTPClientError | NotConnected):
        return OpenPersonalizeError(f"{error} Is a server there? Start one with `openpersonalize serve`.")
    return OpenPersonalizeError(str(error))


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200]
