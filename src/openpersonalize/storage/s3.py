"""Buckets on S3 or a service that speaks its protocol: the only module that knows the S3 client.

Credentials and region come from the ordinary AWS variables and files.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from ..errors import InvalidInput
from .buckets import AccessDenied, Buckets, Unreachable
from .locations import Location, parse_location

_DENIED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "AccountProblem",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "Forbidden",
        "403",
        "401",
    }
)
_ABSENT = frozenset({"NoSuchBucket", "NoSuchKey", "NotFound", "404", "InvalidBucketName"})
_BLOCK = 1 << 20
_RESUMES = 5
MOST_PAGES = 1000
"""Pages of a listing, names or none on them; a service that lists more is not listened to any longer."""


class S3Buckets(Buckets):
    """``s3://BUCKET/KEY`` is an object of S3."""

    def __init__(self, region: str, endpoint: str | None, *, most_pages: int = MOST_PAGES) -> None:
        """Objects of Amazon's S3, or of the service at `endpoint`; `region` counts where no AWS variable
        names one."""
        config = Config(
            ignore_configured_endpoint_urls=True,
            retries={"mode": "standard", "max_attempts": 5},
            s3={"addressing_style": "path" if endpoint else "auto"},
            # Other services than Amazon's know few of the newer checksums.
            request_checksum_calculation="when_required" if endpoint else "when_supported",
            response_checksum_validation="when_required" if endpoint else "when_supported",
        )
        self._most_pages = most_pages
        session = boto3.Session()
        self._client: Any = session.client(
            "s3", region_name=session.region_name or region, endpoint_url=endpoint, config=config
        )

    def open(self, location: str) -> BinaryIO:
        wanted = parse_location(location)
        with _mapped():
            return cast(BinaryIO, io.BufferedReader(_Object(self._client, wanted), _BLOCK))

    def write(self, location: str, stream: BinaryIO) -> None:
        wanted = parse_location(location)
        if not wanted.key or wanted.key.endswith("/"):
            raise InvalidInput("Invalid Data location.")
        with _mapped():
            self._client.upload_fileobj(stream, wanted.bucket, wanted.key)

    def _size(self, location: Location) -> int | None:
        try:
            with _mapped():
                head = self._client.head_object(Bucket=location.bucket, Key=location.key)
        except FileNotFoundError:
            return None
        except AccessDenied:
            # Without the right to list, S3 answers 403 for what does not exist; the listing decides.
            if next(self._below(location), None) is None:
                return None
            raise
        return int(head["ContentLength"])

    def _below(self, prefix: Location) -> Iterator[tuple[Location, int]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=prefix.bucket, Prefix=prefix.key
        )
        try:
            with _mapped():
                for number, page in enumerate(pages):
                    if number == self._most_pages:
                        raise Unreachable(f"it lists more than {number} pages of names below {prefix}")
                    for entry in page.get("Contents", ()):
                        yield Location(prefix.bucket, entry["Key"]), int(entry["Size"])
        except FileNotFoundError:
            return


class _Object(io.RawIOBase):
    """The bytes of one object; a connection that breaks is taken up again where it broke, on the same
    version."""

    def __init__(self, client: Any, location: Location) -> None:
        self._client = client
        self._location = location
        self._position = 0
        self._resumes = 0
        answer = client.get_object(Bucket=location.bucket, Key=location.key)
        self._etag = answer["ETag"]
        self._size = int(answer["ContentLength"])
        self._body = answer["Body"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._position == self._size:
            return 0
        with _mapped():
            while True:
                try:
                    data = self._body.read(len(buffer))
                except (HTTPClientError, ResponseStreamingError, OSError):
                    if self._resumes == _RESUMES:
                        raise
                    self._resume()
                    continue
                break
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _resume(self) -> None:
        self._resumes += 1
        self._body.close()
        self._body = self._client.get_object(
            Bucket=self._location.bucket,
            Key=self._location.key,
            Range=f"bytes={self._position}-",
            IfMatch=self._etag,
        )["Body"]

    def close(self) -> None:
        if not self.closed and hasattr(self, "_body"):
            self._body.close()
        super().close()


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn the client's errors into those that `Buckets` promises."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise AccessDenied() from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _DENIED:
            raise AccessDenied() from error
        if code in _ABSENT:
            raise FileNotFoundError(f"nothing is there ({code})") from error
        raise Unreachable(str(error)) from error
    except BotoCoreError as error:
        raise Unreachable(str(error)) from error
