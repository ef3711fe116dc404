"""AWS STS's GetCallerIdentity, in the query protocol: programs build ARNs from the account that it tells."""

from __future__ import annotations

from urllib.parse import parse_qs

from ..access.roles import Caller
from ..errors import InvalidInput
from .s3.documents import document

CONTENT_TYPE = b"text/xml"
OPERATION = "sts:GetCallerIdentity"
MAX_BODY = 64 * 1024
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def check_action(query: bytes, body: bytes) -> None:
    """Return when a request asks for GetCallerIdentity.

    Raises:
        InvalidInput: it asks for something else.
    """
    text = (query + b"&" + body).decode("latin-1")
    (action, *_) = parse_qs(text, max_num_fields=50).get("Action", [""]) if text.count("&") < 50 else [""]
    if action != "GetCallerIdentity":
        raise InvalidInput(f"Of AWS STS this server has GetCallerIdentity only, not {action[:50]!r}.")


def caller_identity(caller: Caller, account: str, request_id: str) -> bytes:
    """The answer: an access key is told as a user of its own, no key as the account itself."""
    arn = f"arn:aws:iam::{account}:{f'user/{caller.key_id}' if caller.key_id else 'root'}"
    return document(
        "GetCallerIdentityResponse",
        [
            (
                "GetCallerIdentityResult",
                [("Arn", arn), ("UserId", caller.key_id or account), ("Account", account)],
            ),
            ("ResponseMetadata", [("RequestId", request_id)]),
        ],
        _NAMESPACE,
    )
