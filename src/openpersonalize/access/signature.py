"""Signature Version 4: was this request signed, as it stands and now, with the secret of a key that is here?

Amazon's "Signature Version 4 signing process": canonical request, string to sign, derived signing key. Beyond
the arithmetic a request is held to this:

- it is signed for the service ``personalize``, by the Authorization header (no query-string signatures);
- ``host`` and every ``x-amz-*`` header that it carries are signed, so that neither target nor date can be
  swapped;
- its date is within 15 minutes of the clock, and the day of its credential is that date's;
- the Authorization header has at most `MAX_AUTHORIZATION` bytes and names at most `MAX_SIGNED` headers, none
  of them twice;
- the body is signed. ``x-amz-content-sha256`` has to be its hash where it is sent; ``UNSIGNED-PAYLOAD`` and
  chunked ``STREAMING-...`` are refused: there may be no TLS, and no client of these services sends them.

`read_head` checks what needs no body, so that no body is awaited in vain; `prove` checks the signature
itself. A day's signing key is derived once and kept (bounded), which leaves two hashes for each request. No
text that a caller sends is kept when it is longer than `_REMEMBERED` bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from ..errors import (
    IncompleteSignature,
    InvalidClientTokenId,
    InvalidSignature,
    MissingAuthenticationToken,
    RequestExpired,
    SignatureMismatch,
)
from .canonical import canonical_path, canonical_query, collapsed
from .keys import Holder

SERVICE, S3, STS = "personalize", "s3", "sts"
CONTENT_SHA256 = b"x-amz-content-sha256"
MAX_SKEW = 15 * 60
MAX_AUTHORIZATION = 4096
MAX_SIGNED = 64
ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_SHORT = 64
_REMEMBERED = 512
_TOLD = 10
_PARTS = re.compile(
    rb"AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})"
)
_REGION = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Claim:
    """What the Authorization header says; nothing of it is proven.

    Attributes:
        key_id, date, region, service: the parts of the credential; `date` as YYYYMMDD.
        signed: names of the signed headers, lower case, in the order given.
        signature: 64 hexadecimal digits.
    """

    key_id: str
    date: str
    region: str
    service: str
    signed: tuple[bytes, ...]
    signature: str

    @property
    def scope(self) -> str:
        """The credential's scope, as the string to sign has it."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class Head:
    """A signed request's head that was found in order; the signature itself is not proven yet.

    Attributes:
        claim: what its Authorization header says.
        holder: the key that it names.
        stamp: its date, as the string to sign has it.
    """

    claim: Claim
    holder: Holder
    stamp: str


def read_claim(authorization: bytes) -> Claim:
    """The claim of an Authorization header.

    Raises:
        IncompleteSignature: it is no Signature Version 4, or longer than one can be.
    """
    if len(authorization) > MAX_AUTHORIZATION:
        raise IncompleteSignature(f"The Authorization header has more than {MAX_AUTHORIZATION} bytes.")
    parts = _PARTS.fullmatch(authorization.strip())
    credential = (
        (_kept_credential if len(parts[1]) <= _REMEMBERED else _credential)(parts[1]) if parts else None
    )
    if parts is None or credential is None:
        raise IncompleteSignature(
            f"The Authorization header must read '{ALGORITHM} Credential=<key id>/<date>/<region>/{SERVICE}/"
            "aws4_request, SignedHeaders=<names>, Signature=<64 hexadecimal digits>'."
        )
    signed = (_kept_names if len(parts[2]) <= _REMEMBERED else _names)(parts[2])
    if signed is None:
        raise IncompleteSignature(
            f"SignedHeaders must name at most {MAX_SIGNED} headers, and none of them twice."
        )
    return Claim(*credential, signed, parts[3].decode())


def _credential(text: bytes) -> tuple[str, str, str, str] | None:
    """(key id, date, region, service), None when malformed."""
    parts = text.decode("latin-1").split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not region_is_valid(parts[2]):
        return None
    return parts[0], parts[1], parts[2], parts[3]


def _names(text: bytes) -> tuple[bytes, ...] | None:
    """The names of signed headers, None when there are too many or one stands twice."""
    if text.count(b";") >= MAX_SIGNED:
        return None
    names = tuple(text.lower().split(b";"))
    return names if len(frozenset(names)) == len(names) else None


_kept_credential = lru_cache(maxsize=1024)(_credential)
_kept_names = lru_cache(maxsize=256)(_names)


def claimed_key_id(authorization: bytes) -> str:
    """The key id that an Authorization header names, for a log; empty where it names none."""
    _, found, rest = authorization[:200].partition(b"Credential=")
    return rest.partition(b"/")[0].decode("latin-1") if found else ""


def region_is_valid(region: str) -> bool:
    """Whether a region's name is of the form that ARNs hold."""
    return _REGION.fullmatch(region) is not None


def read_head(
    headers: Mapping[bytes, bytes],
    find: Callable[[str], Holder | None],
    now: float,
    service: str = SERVICE,
) -> Head:
    """Check what a request's head tells: the form of its signature, key id, service, date, signed headers.

    Args:
        headers: by name in lower case; repeated ones as `joined` makes them.
        find: the holder of a key id, None when unknown.
        now: seconds since the epoch.
        service: that it has to be signed for. Of ``s3`` the body may be signed in chunks or not at all, as
            the header x-amz-content-sha256 says.

    Raises:
        MissingAuthenticationToken, IncompleteSignature, InvalidClientTokenId, RequestExpired,
        InvalidSignature
    """
    authorization = headers.get(b"authorization")
    if authorization is None:
        raise MissingAuthenticationToken
    claim = read_claim(authorization)
    holder = holder_of(claim, find, service)
    stamp = _check_date(headers, claim, now)
    check_signed_headers(headers, claim)
    if b"x-amz-date" not in headers and b"date" not in claim.signed:
        raise InvalidSignature("These headers must be signed: date.")
    if service != S3:
        _check_stated_hash(headers.get(CONTENT_SHA256))
    return Head(claim, holder, stamp)


def holder_of(claim: Claim, find: Callable[[str], Holder | None], service: str) -> Holder:
    """The key that a claim names.

    Raises:
        InvalidClientTokenId, InvalidSignature
    """
    holder = find(claim.key_id)
    if holder is None:
        raise InvalidClientTokenId("The security token included in the request is invalid.")
    if claim.service != service:
        raise InvalidSignature(f"Credential should be scoped to correct service: '{service}'.")
    return holder


def prove(
    head: Head,
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Mapping[bytes, bytes],
    body: bytes,
) -> None:
    """Return when the request was signed with the secret of the key that its head names; about 10 us.

    Args:
        head: of the same request, from `read_head`.
        raw_path: the path as it was sent, without the query string.
        headers: the same that `read_head` was given.

    Raises:
        InvalidSignature
    """
    path = canonical_path(raw_path)
    # Older curl signs a path as it sends it, without the second encoding.
    paths = (path,) if path == raw_path else (path, raw_path)
    _prove(head, method, paths, query, headers, _payload_hash(headers, body))


def prove_head(
    head: Head, *, method: str, raw_path: bytes, query: bytes, headers: Mapping[bytes, bytes], payload: bytes
) -> None:
    """The same of a request to S3, before its body has come: S3 encodes a path once and resolves no dots, and
    the body is signed as `payload`, what x-amz-content-sha256 says of it.

    Raises:
        InvalidSignature
    """
    path = quote(unquote_to_bytes(raw_path), safe="/-_.~").encode()
    paths = (path,) if path == raw_path else (path, raw_path)
    _prove(head, method, paths, query, headers, payload)


def _prove(
    head: Head,
    method: str,
    paths: tuple[bytes, ...],
    query: bytes,
    headers: Mapping[bytes, bytes],
    payload: bytes,
) -> None:
    claim = head.claim
    rest = b"\n".join(
        (
            canonical_query(query) if query else b"",
            *[name + b":" + collapsed(headers.get(name, b"")) for name in claim.signed],
            b"",
            b";".join(claim.signed),
            payload,
        )
    )
    key = signing_key(head.holder.secret, claim.date, claim.region, claim.service)
    for path in paths:
        canonical = b"%s\n%s\n%s" % (method.encode("latin-1"), path, rest)
        to_sign = f"{ALGORITHM}\n{head.stamp}\n{claim.scope}\n{hashlib.sha256(canonical).hexdigest()}"
        expected = hmac.digest(key, to_sign.encode("latin-1"), "sha256").hex()
        if hmac.compare_digest(expected, claim.signature):
            return
    raise SignatureMismatch(
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method."
    )


def _check_date(headers: Mapping[bytes, bytes], claim: Claim, now: float) -> str:
    """The time stamp of the string to sign."""
    sent = headers.get(b"x-amz-date")
    if sent is None:
        read = _http_date(headers.get(b"date", b""))
    else:
        read = read_instant(sent) if len(sent) == 16 else None
    if read is None:
        raise IncompleteSignature("The request must carry an X-Amz-Date header of the form 20260131T235959Z.")
    instant, stamp = read
    if abs(now - instant) > MAX_SKEW:
        raise RequestExpired(
            f"Signature expired or not yet current: {stamp} is more than 15 minutes from this server's clock."
        )
    if stamp[:8] != claim.date:
        raise InvalidSignature(
            f"Date in Credential scope does not match the date of the request: {claim.date}."
        )
    return stamp


@lru_cache(maxsize=256)
def read_instant(sent: bytes) -> tuple[float, str] | None:
    """(seconds since the epoch, stamp) of 20260131T235959Z (16 bytes), None when malformed."""
    try:
        stamp = sent.decode("ascii")
        moment = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp(), stamp


def _http_date(sent: bytes) -> tuple[float, str] | None:
    """The same of a Date header, for clients that send no X-Amz-Date."""
    if len(sent) > _SHORT:
        return None
    try:
        moment = parsedate_to_datetime(sent.decode("ascii")).astimezone(UTC)
    except (ValueError, OverflowError):  # years and offsets beyond what a calendar holds among them
        return None
    return moment.timestamp(), moment.strftime(_STAMP)


def check_signed_headers(headers: Mapping[bytes, bytes], claim: Claim) -> None:
    """Return when the host and every ``x-amz-*`` header are signed.

    Raises:
        InvalidSignature
    """
    signed = frozenset(claim.signed)
    unsigned = [name for name in headers if name.startswith(b"x-amz-") and name not in signed]
    if b"host" not in signed:
        unsigned.append(b"host")
    if unsigned:
        names = ", ".join(sorted(name.decode("latin-1")[:_SHORT] for name in unsigned[:_TOLD]))
        raise InvalidSignature(f"These headers must be signed: {names}.")


def _check_stated_hash(stated: bytes | None) -> None:
    if stated is not None and (stated == _UNSIGNED or stated.startswith(b"STREAMING-")):
        raise InvalidSignature(
            f"The body must be signed: {stated.decode('latin-1')[:_SHORT]} is not accepted."
        )


def _payload_hash(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    actual = hashlib.sha256(body).hexdigest().encode()
    stated = headers.get(CONTENT_SHA256)
    if stated is not None and not hmac.compare_digest(stated, actual):
        raise InvalidSignature("The header x-amz-content-sha256 is not the hash of the body.")
    return actual


@lru_cache(maxsize=512)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """What a day's requests to a service in a region are signed with."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode("latin-1"), "sha256")
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
