"""Answers to S3 requests, `Answer`, and the headers that describe an object."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import BinaryIO

from .bucket_folder import Stored
from .checksums import ALGORITHMS, HEADER
from .documents import Content, document
from .faults import Fault
from .requests import KEPT_HEADERS, METADATA, Request

XML = "application/xml"
_DEFAULT_TYPE = "binary/octet-stream"


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        stream, size: content that is read while it is sent, and how much of it; else `body` is the content.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    stream: BinaryIO | None = None
    size: int = 0


def xml_answer(root: str, content: Content, *headers: tuple[str, str], status: int = 200) -> Answer:
    """An answer that is a document."""
    return Answer(status, (("content-type", XML), *headers), document(root, content))


def fault_answer(fault: Fault, request_id: str, resource: str, *headers: tuple[str, str]) -> Answer:
    """The answer that tells an error."""
    if fault.status == 304:
        return Answer(304, headers)
    body = document(
        "Error",
        [
            ("Code", fault.code),
            ("Message", fault.message),
            ("Resource", resource),
            ("RequestId", request_id),
        ],
        namespace=None,
    )
    return Answer(fault.status, (("content-type", XML), *headers), body)


def quoted(etag: str) -> str:
    """An ETag as it travels."""
    return f'"{etag}"'


def object_headers(stored: Stored, request: Request, *, whole: bool = True) -> tuple[tuple[str, str], ...]:
    """The headers of an object's answer, all but those of its length.

    Args:
        whole: whether all of the content is sent, of which alone the checksum speaks.
    """
    details = stored.details
    found = {"content-type": _DEFAULT_TYPE, **details.headers}
    for name in KEPT_HEADERS:
        asked = request.query.get(f"response-{name}")
        if asked and asked.isprintable():
            found[name] = asked
    found |= {
        "content-security-policy": "sandbox",  # an object that a browser opens is no page of this server
        "x-content-type-options": "nosniff",
        "etag": quoted(stored.etag),
        "last-modified": formatdate(stored.modified, usegmt=True),
        "accept-ranges": "bytes",
    }
    found |= {f"{METADATA}{name}": value for name, value in details.metadata.items()}
    if whole and request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        found |= dict(checksum_headers(details.algorithm, details.checksum, details.checksum_type))
    return tuple(found.items())


def checksum_headers(
    algorithm: str | None, checksum: str | None, kind: str | None
) -> tuple[tuple[str, str], ...]:
    """The headers that tell a checksum, if there is one."""
    if algorithm is None or checksum is None:
        return ()
    return (ALGORITHMS[algorithm].header, checksum), (f"{HEADER}type", kind or "FULL_OBJECT")


def checksum_elements(
    algorithm: str | None, checksum: str | None, kind: str | None
) -> list[tuple[str, Content]]:
    """The elements of a document that tell a checksum, if there is one."""
    if algorithm is None or checksum is None:
        return []
    return [(ALGORITHMS[algorithm].member, checksum), ("ChecksumType", kind or "FULL_OBJECT")]
