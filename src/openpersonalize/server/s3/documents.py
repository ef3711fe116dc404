"""XML documents of S3's and STS's answers and requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeAlias
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .faults import Fault

Content: TypeAlias = "str | int | bool | Iterable[tuple[str, Content]] | None"
"""What an element holds: text, other elements by name, or nothing; an element of None is left out."""

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST_ELEMENTS = 100_000
"""Of a request's document: a completion names 10,000 parts with up to eight elements each."""
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)|\x00", re.IGNORECASE)


def document(root: str, content: Content, namespace: str | None = NAMESPACE) -> bytes:
    """A whole document."""
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return f"{PROLOGUE}<{root}{attribute}>{_inner(content)}</{root}>".encode()


def _inner(content: Content) -> str:
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, str | int):
        return escape(_NO_XML.sub("\ufffd", str(content)), {"\r": "&#13;"})
    return "".join(f"<{name}>{_inner(inner)}</{name}>" for name, inner in content or () if inner is not None)


def moment(seconds: float) -> str:
    """A time in an XML document."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def parsed(body: bytes, root: str) -> ElementTree.Element:
    """The root element of a request's document, without namespaces.

    Raises:
        Fault: MalformedXML: it is no XML, has another root, or declares types or entities.
    """
    malformed = Fault("MalformedXML", f"The request body is no well-formed {root} document.")
    # Entities could grow without bound; elements and attributes take a hundred times the bytes of their text.
    if (
        _DECLARATION.search(body)
        or body.count(b"<") > 2 * _MOST_ELEMENTS
        or body.count(b"=") > 2 * _MOST_ELEMENTS
    ):
        raise malformed
    try:
        found = ElementTree.fromstring(body)  # noqa: S314 (declarations are refused above)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise malformed from None
    for element in found.iter():
        element.tag = element.tag.rpartition("}")[2]
    if found.tag != root:
        raise malformed
    return found
