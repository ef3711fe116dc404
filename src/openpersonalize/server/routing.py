"""Which operation a request is for, and what to tell a client whose request was meant for somebody else.

An AWS client with ``AWS_ENDPOINT_URL`` set sends every service's requests here. Each is told which
variables to set instead, in a form that its client can read: XML for S3 and for the services of the query
protocol.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

from ..access.signature import S3, SERVICE, region_is_valid
from ..errors import ServiceError, UnknownOperation
from .exchange import Exchange
from .protocol import BY_PATH, BY_TARGET, JSON_1_1, REST_JSON, Operation, error_body

_VARIABLES = (
    "Set AWS_ENDPOINT_URL_PERSONALIZE, AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME and "
    "AWS_ENDPOINT_URL_PERSONALIZE_EVENTS to this server's address instead of AWS_ENDPOINT_URL, "
    "which sends the requests of every AWS service here."
)

_REMEMBERED = 200
"""Longer texts of callers are not kept; no credential is that long."""


def route(exchange: Exchange) -> Operation:
    """The operation that a request asks for.

    Raises:
        UnknownOperation: there is none; the message says whether another service was meant.
    """
    if exchange.method == "POST":
        if exchange.path == "/":
            operation = BY_TARGET.get(exchange.headers.get(b"x-amz-target", b""))
        else:
            operation = BY_PATH.get(exchange.path)
        if operation is not None:
            scope = credential_scope(exchange.headers.get(b"authorization", b""))
            if scope is None or scope[1] == SERVICE:
                return operation
    raise UnknownOperation(_explanation(exchange))


def requested_scope(exchange: Exchange) -> tuple[str, str] | None:
    """(region, service) that a request is signed for, in its header or, as S3 allows, in its URL; None where
    it is not signed. An older kind of signed URL names no region."""
    authorization = exchange.headers.get(b"authorization")
    if authorization is not None:
        return credential_scope(authorization)
    if b"AWSAccessKeyId=" in exchange.query:
        return "", S3
    start = exchange.query.find(b"X-Amz-Credential=")
    if start < 0:
        return None
    credential = unquote_to_bytes(exchange.query[start + 17 :].split(b"&", 1)[0])
    return _kept_scope(credential) if len(credential) <= _REMEMBERED else None


def credential_scope(authorization: bytes) -> tuple[str, str] | None:
    """(region, service) of the credential that an Authorization header names, None where it names none."""
    start = authorization.find(b"Credential=")
    if start < 0:
        return None
    end = authorization.find(b",", start)
    credential = authorization[start + 11 : end if end > 0 else len(authorization)]
    return _kept_scope(credential) if len(credential) <= _REMEMBERED else None


def _scope(credential: bytes) -> tuple[str, str] | None:
    parts = credential.strip().split(b"/")
    if len(parts) != 5:
        return None
    region, service = parts[2].decode("latin-1"), parts[3].decode("latin-1")
    return (region, service) if region_is_valid(region) else None


_kept_scope = lru_cache(maxsize=1024)(_scope)


def _explanation(exchange: Exchange) -> str:
    scope = credential_scope(exchange.headers.get(b"authorization", b""))
    target = exchange.headers.get(b"x-amz-target", b"").decode("latin-1")[:100]
    if scope is not None and scope[1] == S3:
        return (
            "The s3:// locations of this server live in another service (its setting s3, its "
            "AWS_ENDPOINT_URL_S3): set AWS_ENDPOINT_URL_S3 to that service's address."
        )
    if scope is not None and scope[1] != SERVICE:
        meant = f"a request to {scope[1][:50]} does not belong here"
        return f"This server speaks Amazon Personalize; {meant}. {_VARIABLES}"
    if exchange.method == "POST" and exchange.path == "/":
        if not target:
            return "The request has no X-Amz-Target header, or it was sent to the wrong path."
        if target.startswith("AmazonPersonalize."):
            return f"Amazon Personalize has no operation {target.partition('.')[2]}."
    return (
        f"{exchange.method[:20]} {target or exchange.path[:100]} is no operation of Amazon Personalize. "
        f"If another AWS service was meant: {_VARIABLES}"
    )


def error_form(
    exchange: Exchange, operation: Operation | None, error: ServiceError
) -> tuple[int, bytes, bytes]:
    """(status, content type, body) of an error, in the form that the sender reads."""
    if operation is not None:
        return (
            (error.rest_status if operation.rest else error.status),
            operation.content_type,
            error_body(error),
        )
    scope = credential_scope(exchange.headers.get(b"authorization", b""))
    inner = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
    if scope is not None and scope[1] == "s3" and b"x-amz-content-sha256" in exchange.headers:
        return error.status, b"application/xml", f"<Error>{inner}</Error>".encode()
    if exchange.headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        body = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error></ErrorResponse>"
        return error.status, b"text/xml", body.encode()
    rest = exchange.path != "/"
    return (error.rest_status if rest else error.status), (REST_JSON if rest else JSON_1_1), error_body(error)
