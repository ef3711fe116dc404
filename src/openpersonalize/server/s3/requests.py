"""S3 requests: which bucket and key one is for, in path style or virtual-host style, and what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from .catalogue import Details
from .faults import Fault

KEPT_HEADERS = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
"""Headers of an upload that come back with the object."""
_LONGEST_HOST = 300
_S3_LABELS = 3
"""Of ``s3.dualstack.REGION``, the longest name of S3 before ``.amazonaws.com``."""
METADATA = "x-amz-meta-"
UNVERSIONED = "null"
"""The version of every object of a bucket without versions."""
MOST_METADATA = 2048
_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
_UNSUPPORTED = {
    "x-amz-server-side-encryption-customer-algorithm": "encryption with a customer's key",
    "x-amz-tagging": "tags of objects",
    "x-amz-object-lock-mode": "object lock",
    "x-amz-object-lock-legal-hold": "object lock",
    "x-amz-website-redirect-location": "websites",
}


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        bucket, key: decoded; "" where the request names none.
        query: decoded; of a repeated parameter the last value; one without a value has "".
        headers: by lower-case name, text.
        region: that it is signed for.
        owner: the account's id. request_id: of its answer.
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    region: str
    owner: str
    request_id: str
    details: Details = field(default_factory=Details)

    def check_version(self) -> None:
        """Return when the request names no other version of its object than the one there is.

        Raises:
            Fault: NoSuchVersion.
        """
        if self.query.get("versionId", UNVERSIONED) != UNVERSIONED:
            raise Fault("NoSuchVersion", "This server keeps one version of an object, called null.")

    def number(self, name: str, default: int, most: int, least: int = 0) -> int:
        """A whole number of the query string; larger ones than `most` count as `most`.

        Raises:
            Fault: InvalidArgument.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 12) or int(text) < least:
            raise Fault("InvalidArgument", f"{name} must be a whole number of at least {least}.")
        return min(int(text), most)


def read_query(query: bytes) -> dict[str, str]:
    """The parameters of a query string; "+" is a plus here."""
    found = {}
    for part in query.decode("latin-1").split("&"):
        if part:
            name, _, value = part.partition("=")
            found[unquote(name)] = unquote(value)
    return found


def read_address(raw_path: bytes, host: bytes, domain: str) -> tuple[str, str]:
    """(bucket, key) of a request, each "" where it names none.

    Args:
        raw_path: the path as it was sent.
        domain: names below it are buckets, beside those below localhost and Amazon's own; "": no other.

    Raises:
        Fault: the path is no UTF-8.
    """
    try:
        path = unquote(raw_path.decode("ascii"), errors="strict").removeprefix("/")
    except UnicodeDecodeError:
        raise Fault("InvalidArgument", "The path is not UTF-8 in percent-encoding.") from None
    bucket = bucket_of_host(host, domain)
    if bucket:
        return bucket, path
    bucket, _, key = path.partition("/")
    return bucket, key


def bucket_of_host(header: bytes, domain: str) -> str:
    """The bucket that a Host header names, "" where it names none; `domain` as in `read_address`."""
    if len(header) > _LONGEST_HOST:
        return ""
    host = re.sub(r":\d*$", "", header.decode("latin-1").lower())
    for base in ("localhost", domain):
        if base and host.endswith(f".{base}"):
            return host.removesuffix(f".{base}")
    for suffix in _AMAZON:
        if host.endswith(suffix):
            labels = host.removesuffix(suffix).split(".")
            for place, label in enumerate(labels[-_S3_LABELS:], max(0, len(labels) - _S3_LABELS)):
                if label == "s3" or label.startswith("s3-"):
                    return ".".join(labels[:place])
    return ""


def read_details(headers: Mapping[str, str]) -> Details:
    """What the head of an upload says of the object.

    Raises:
        Fault: MetadataTooLarge as InvalidArgument, NotImplemented for what this server cannot keep.
    """
    for name, meaning in _UNSUPPORTED.items():
        if name in headers:
            raise Fault("NotImplemented", f"This server has no {meaning} ({name}).")
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    encodings = [text.strip() for text in kept.pop("content-encoding", "").split(",")]
    encoding = ",".join(text for text in encodings if text and text != "aws-chunked")
    if encoding:
        kept["content-encoding"] = encoding
    metadata = {
        name.removeprefix(METADATA): value for name, value in headers.items() if name.startswith(METADATA)
    }
    if sum(len(name) + len(value) for name, value in metadata.items()) > MOST_METADATA:
        raise Fault("InvalidArgument", f"The metadata of an object may have {MOST_METADATA} bytes.")
    return Details(headers=kept, metadata=metadata)
