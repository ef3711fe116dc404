"""Which object storage ``s3://`` means to this server: Amazon S3, a service like it, or a local folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..settings import Settings
from .buckets import Buckets
from .local_buckets import LocalBuckets

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The variable that names another service than Amazon's."""


def open_buckets(settings: Settings) -> Buckets:
    """S3 when the settings or AWS_ENDPOINT_URL_S3 say so, else ``buckets/`` in the data folder."""
    endpoint = named_endpoint(os.environ)
    if are_local(settings, endpoint):
        return LocalBuckets(settings.data / "buckets")
    from .s3 import S3Buckets

    return S3Buckets(settings.region, endpoint if settings.s3 == "auto" else None)


def named_endpoint(environment: Mapping[str, str]) -> str | None:
    """The S3 service that an environment names beside Amazon's. What `openpersonalize env` has set, the
    address of a server like this for all services, names none: else a second server would keep its buckets
    in the first."""
    endpoint = environment.get(ENDPOINT)
    return None if endpoint == environment.get("AWS_ENDPOINT_URL_PERSONALIZE") else endpoint


def are_local(settings: Settings, endpoint: str | None) -> bool:
    """Whether ``s3://`` means the ``buckets/`` folder, which the server itself serves as S3 then.

    Args:
        endpoint: of `named_endpoint`; the address of this very server means the folder as well.
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
