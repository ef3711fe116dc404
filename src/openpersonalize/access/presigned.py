"""Signature Version 4 in the query string: presigned URLs of S3, good for whoever holds
them until they expire.

Amazon's "Authenticating requests: using query parameters". The same arithmetic as in `signature`; what an
Authorization header says stands in parameters ``X-Amz-...``, and the body is not signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import IncompleteSignature, RequestExpired
from .keys import Holder
from .signature import (
    ALGORITHM,
    CONTENT_SHA256,
    MAX_SKEW,
    S3,
    Head,
    check_signed_headers,
    holder_of,
    prove_head,
    read_claim,
    read_instant,
)

SIGNATURE = "X-Amz-Signature"
CREDENTIAL = "X-Amz-Credential"
LONGEST_SECONDS = 7 * 24 * 3600
_UNSIGNED = b"UNSIGNED-PAYLOAD"


def prove_presigned(
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    parameters: Mapping[str, str],
    headers: Mapping[bytes, bytes],
    find: Callable[[str], Holder | None],
    now: float,
) -> Head:
    """The head of a request whose URL was signed with the secret of a key here and has not expired.

    Args:
        query: as it was sent. parameters: the same, decoded.
        headers: by name in lower case; repeated ones as `signature.joined` makes them.
        find: the holder of a key id, None when unknown.
        now: seconds since the epoch.

    Raises:
        IncompleteSignature, InvalidClientTokenId, RequestExpired, InvalidSignature
    """
    given = {
        name: parameters.get(f"X-Amz-{name}", "")
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    }
    text = (
        f"{ALGORITHM} Credential={given['Credential']}, SignedHeaders={given['SignedHeaders']}, "
        f"Signature={given['Signature']}"
    )
    read = read_instant(given["Date"].encode()) if len(given["Date"]) == 16 else None
    seconds = given["Expires"]
    if given["Algorithm"] != ALGORITHM or read is None or not (seconds.isascii() and seconds.isdigit()):
        raise IncompleteSignature(
            f"A signed URL has X-Amz-Algorithm={ALGORITHM}, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, "
            "X-Amz-SignedHeaders and X-Amz-Signature."
        )
    if len(seconds) > 6 or not 1 <= int(seconds) <= LONGEST_SECONDS:
        raise IncompleteSignature(f"X-Amz-Expires must be between 1 and {LONGEST_SECONDS} seconds.")
    claim = read_claim(text.encode("latin-1", "replace"))
    holder = holder_of(claim, find, S3)
    instant, stamp = read
    if now > instant + int(seconds) or now < instant - MAX_SKEW or stamp[:8] != claim.date:
        raise RequestExpired("The signed URL has expired, or is not yet current.")
    check_signed_headers(headers, claim)
    head = Head(claim, holder, stamp)
    kept = b"&".join(part for part in query.split(b"&") if not part.startswith(f"{SIGNATURE}=".encode()))
    stated = parameters.get("X-Amz-Content-Sha256", "").encode("latin-1", "replace")
    payload = stated or headers.get(CONTENT_SHA256, _UNSIGNED)
    prove_head(head, method=method, raw_path=raw_path, query=kept, headers=headers, payload=payload)
    return head
