"""Signature Version 4: was this request signed with the secret of a key of this installation, now, as it
stands?

Amazon's "Signature Version 4 signing process": canonical request, string to sign, derived signing key. Beyond
the arithmetic a request is held to this:

- it is signed for the service ``personalize``, by the Authorization header (no query-string signatures);
- ``host`` and every ``x-amz-*`` header that it carries are signed, so that neither target nor date can be
  swapped;
- its date is within 15 minutes of the clock, and the day of its credential is that date's;
- the body is signed. ``x-amz-content-sha256`` has to be the body's hash where it is sent;
  ``UNSIGNED-PAYLOAD`` and the chunked ``STREAMING-...`` forms are refused, because this server may be
  spoken to without TLS, and no client of these services sends them.

A day's signing key is derived once and kept (bounded), which leaves two hashes for each request.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from ..errors import (
    IncompleteSignature,
    InvalidClientTokenId,
    InvalidSignature,
    MissingAuthenticationToken,
    RequestExpired,
)
from .keys import Holder

SERVICE = "personalize"
MAX_SKEW = 15 * 60
ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_UNSIGNED = "UNSIGNED-PAYLOAD"
_PARTS = re.compile(
    rf"{ALGORITHM}\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{{64}})\s*"
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
    signed: tuple[str, ...]
    signature: str


def read_claim(authorization: str) -> Claim:
    """The claim of an Authorization header.

    Raises:
        IncompleteSignature: it is no Signature Version 4.
    """
    parts = _PARTS.fullmatch(authorization.strip())
    credential = parts[1].split("/") if parts else []
    if (
        not parts
        or len(credential) != 5
        or credential[4] != "aws4_request"
        or not region_is_valid(credential[2])
    ):
        raise IncompleteSignature(
            f"The Authorization header must read '{ALGORITHM} Credential=<key id>/<date>/<region>/{SERVICE}/"
            "aws4_request, SignedHeaders=<names>, Signature=<64 hexadecimal digits>'."
        )
    key_id, date, region, service, _ = credential
    return Claim(key_id, date, region, service, tuple(parts[2].lower().split(";")), parts[3])


def region_is_valid(region: str) -> bool:
    """Whether a region's name is of the form that ARNs hold."""
    return _REGION.fullmatch(region) is not None


def verify(
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    find: Callable[[str], Holder | None],
    now: float,
) -> tuple[Claim, Holder]:
    """The claim of a request and the key that proves it.

    Args:
        raw_path: the path as it was sent, without the query string.
        headers: as received; names in lower case.
        find: the holder of a key id, None when unknown.
        now: seconds since the epoch.

    Raises:
        MissingAuthenticationToken, IncompleteSignature, InvalidClientTokenId, RequestExpired,
        InvalidSignature
    """
    sent: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        sent[name] = f"{sent[name]},{value.strip()}" if name in sent else value.strip()
    authorization = sent.get("authorization")
    if authorization is None:
        raise MissingAuthenticationToken
    claim = read_claim(authorization)
    holder = find(claim.key_id)
    if holder is None:
        raise InvalidClientTokenId("The security token included in the request is invalid.")
    if claim.service != SERVICE:
        raise InvalidSignature(f"Credential should be scoped to correct service: '{SERVICE}'.")
    stamp = _check_date(sent, claim, now)
    _check_signed_headers(sent, claim)
    canonical = "\n".join(
        (
            method,
            _canonical_path(raw_path),
            _canonical_query(query) if query else "",
            *[f"{name}:{_collapsed(sent.get(name, ''))}" for name in claim.signed],
            "",
            ";".join(claim.signed),
            _payload_hash(sent, body),
        )
    )
    to_sign = (
        f"{ALGORITHM}\n{stamp}\n{claim.date}/{claim.region}/{SERVICE}/aws4_request\n"
        f"{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    )
    key = _signing_key(holder.secret, claim.date, claim.region)
    expected = hmac.digest(key, to_sign.encode(), "sha256").hex()
    if not hmac.compare_digest(expected, claim.signature):
        raise InvalidSignature(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )
    return claim, holder


def _check_date(sent: dict[str, str], claim: Claim, now: float) -> str:
    """The time stamp of the string to sign."""
    stamp = sent.get("x-amz-date")
    instant: float | None = None
    if stamp is not None:
        instant = _instant(stamp)
    elif "date" in sent:
        try:
            moment = parsedate_to_datetime(sent["date"])
            instant, stamp = moment.timestamp(), moment.strftime("%Y%m%dT%H%M%SZ")
        except ValueError:
            pass
    if stamp is None or instant is None:
        raise IncompleteSignature("The request must carry an X-Amz-Date header of the form 20260131T235959Z.")
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
def _instant(stamp: str) -> float | None:
    """Seconds since the epoch of 20260131T235959Z, None when malformed."""
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", stamp):
        return None
    year, month, day = int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8])
    hour, minute, second = int(stamp[9:11]), int(stamp[11:13]), int(stamp[13:15])
    if not (
        year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61
    ):
        return None
    return float(calendar.timegm((year, month, day, hour, minute, second)))


def _check_signed_headers(sent: dict[str, str], claim: Claim) -> None:
    unsigned = [
        name for name in sent if (name == "host" or name.startswith("x-amz-")) and name not in claim.signed
    ]
    if "x-amz-date" not in sent and "date" not in claim.signed:
        unsigned.append("date")
    if unsigned:
        raise InvalidSignature(f"These headers must be signed: {', '.join(sorted(unsigned))}.")
    if "host" not in claim.signed:
        raise InvalidSignature("The host header must be signed.")


def _payload_hash(sent: dict[str, str], body: bytes) -> str:
    actual = hashlib.sha256(body).hexdigest() if body else _EMPTY_HASH
    stated = sent.get("x-amz-content-sha256")
    if stated is not None and not hmac.compare_digest(stated.encode("latin-1"), actual.encode()):
        if stated == _UNSIGNED or stated.startswith("STREAMING-"):
            raise InvalidSignature(f"The body must be signed: {stated} is not accepted.")
        raise InvalidSignature("The header x-amz-content-sha256 is not the hash of the body.")
    return actual


@lru_cache(maxsize=512)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    for part in (region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _collapsed(value: str) -> str:
    return " ".join(value.split()) if "  " in value or "\t" in value else value


def _canonical_path(raw_path: bytes) -> str:
    """Dot segments resolved, then percent-encoded once more, as every service but S3 wants it."""
    if raw_path == b"/":
        return "/"
    segments: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            if segments:
                segments.pop()
        elif segment not in (b"", b"."):
            segments.append(segment)
    path = b"/" + b"/".join(segments)
    if segments and raw_path.endswith(b"/"):
        path += b"/"
    return quote(path, safe="/-_.~")


def _canonical_query(query: bytes) -> str:
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append(tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
