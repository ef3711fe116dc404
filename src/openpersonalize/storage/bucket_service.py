"""Which object storage ``s3://`` means to this server: Amazon S3, a service like it, or a local folder."""

from __future__ import annotations

import os

from ..settings import Settings
from .buckets import Buckets
from .local_buckets import LocalBuckets


def open_buckets(settings: Settings) -> Buckets:
    """S3 when the settings or AWS_ENDPOINT_URL_S3 say so, else ``buckets/`` in the data folder."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3")
    if settings.s3 == "aws" or (settings.s3 == "auto" and endpoint):
        from .s3 import S3Buckets

        return S3Buckets(settings.region, endpoint if settings.s3 == "auto" else None)
    return LocalBuckets(settings.data / "buckets")
