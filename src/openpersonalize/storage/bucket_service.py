"""Which object storage ``s3://`` means to this server: Amazon S3, a service like it, or a local folder."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ..settings import Settings
from .buckets import Buckets
from .local_buckets import LocalBuckets

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The variable that names another service than Amazon's."""


def open_buckets(settings: Settings) -> Buckets:
    """S3 when the settings or AWS_ENDPOINT_URL_S3 say so, else ``buckets/`` in the data folder."""
    endpoint = os.environ.get(ENDPOINT)
    if are_local(settings, endpoint):
        return LocalBuckets(settings.data / "buckets")
    from .s3 import S3Buckets

    return S3Buckets(settings.region, endpoint if settings.s3 == "auto" else None)


def are_local(settings: Settings, endpoint: str | None) -> bool:
    """Whether ``s3://`` means the ``buckets/`` folder, which the server itself serves as S3 then.

    An AWS_ENDPOINT_URL_S3 that names this very server, as in a shell that has evaluated
    `openpersonalize env`, names the folder.

    Args:
        endpoint: the value of AWS_ENDPOINT_URL_S3.
    """
    if settings.s3 == "auto":
        return not endpoint or is_own_address(endpoint, settings)
    return settings.s3 == "local"


def is_own_address(endpoint: str, settings: Settings) -> bool:
    """Whether a URL is the address of a server with these settings, as seen from its own machine."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return False
    own = {"127.0.0.1", "::1", "localhost", settings.host}
    return parts.scheme == "http" and port == settings.port and (parts.hostname or "") in own
