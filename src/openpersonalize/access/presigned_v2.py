"""Signature Version 2 in the query string of S3's URLs: what boto3 makes in older regions, us-east-1
among them, unless it is told to use ``s3v4``.

Amazon's "Signing and authenticating REST requests" (HMAC-SHA1). Headers are not signed here: they never are.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping

from ..errors import IncompleteSignature, InvalidClientTokenId, RequestExpired, SignatureMismatch
from .keys import Holder

KEY_ID = "AWSAccessKeyId"
LONGEST_SECONDS = 7 * 24 * 3600
_SIGNED_PARAMETERS = frozenset(
    {
        "acl",
        "cors",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "restore",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)


def prove_presigned_v2(
    *,
    method: str,
    resource: str,
    parameters: Mapping[str, str],
    headers: Mapping[bytes, bytes],
    find: Callable[[str], Holder | None],
    now: float,
) -> Holder:
    """The key with whose secret the URL of a request was signed, when it has not expired.

    Args:
        resource: the path as it was sent, with the bucket first.
        parameters: of the query string, decoded.
        headers: by name in lower case; repeated ones as `signature.joined` makes them.
        find: the holder of a key id, None when unknown.
        now: seconds since the epoch.

    Raises:
        IncompleteSignature, InvalidClientTokenId, RequestExpired, InvalidSignature
    """
    expires = parameters.get("Expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) < 13) or "Signature" not in parameters:
        raise IncompleteSignature(f"A signed URL has {KEY_ID}, Signature and Expires.")
    holder = find(parameters.get(KEY_ID, ""))
    if holder is None:
        raise InvalidClientTokenId("The security token included in the request is invalid.")
    if not now <= int(expires) <= now + LONGEST_SECONDS:
        raise RequestExpired("The signed URL has expired, or is good for more than 7 days.")
    amazon = sorted((name, value) for name, value in headers.items() if name.startswith(b"x-amz-"))
    asked = sorted(name for name in parameters if name in _SIGNED_PARAMETERS)
    query = "&".join(f"{name}={parameters[name]}" if parameters[name] else name for name in asked)
    text = b"\n".join(
        (
            method.encode("latin-1"),
            headers.get(b"content-md5", b"").strip(),
            headers.get(b"content-type", b"").strip(),
            expires.encode(),
            *(name + b":" + value.strip() for name, value in amazon),
            f"{resource}?{query}".encode() if query else resource.encode(),
        )
    )
    expected = base64.b64encode(hmac.digest(holder.secret.encode(), text, "sha1"))
    if not hmac.compare_digest(expected, parameters["Signature"].encode("latin-1", "replace")):
        raise SignatureMismatch(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )
    return holder
