"""The check against the official signer; live clients are in test_live.py."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.access.keys import Holder
from openpersonalize.access.signature import MAX_SKEW, Claim, prove, read_claim, read_head
from openpersonalize.errors import (
    IncompleteSignature,
    InvalidClientTokenId,
    InvalidSignature,
    MissingAuthenticationToken,
    RequestExpired,
)

HOLDER = Holder("OPAKAAAAAAAAAAAAAAAA", "secret/+", "admin", None)
START = "AWS4-HMAC-SHA256 Credential=a/20260304"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Signed:
    """A request as the official signer made it, open to tampering."""

    def __init__(
        self,
        path: str = "/",
        body: bytes = b"{}",
        headers: dict[str, str] | None = None,
        *,
        method: str = "POST",
        service: str = "personalize",
        credentials: Credentials | None = None,
    ) -> None:
        request = AWSRequest(method, f"http://localhost:8077{path}", headers or {}, body)
        credentials = credentials or Credentials(HOLDER.id, HOLDER.secret)
        SigV4Auth(credentials, service, "eu-west-1").add_auth(request)
        self.method = method
        self.path, _, self.query = path.partition("?")
        self.body = body
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.headers.setdefault("host", "localhost:8077")

    def check(self, now: datetime = NOW) -> Claim:
        headers = {name.encode(): value.encode() for name, value in self.headers.items()}
        head = read_head(headers, {HOLDER.id: HOLDER}.get, now.timestamp())
        prove(
            head,
            method=self.method,
            raw_path=self.path.encode(),
            query=self.query.encode(),
            headers=headers,
            body=self.body,
        )
        assert head.holder is HOLDER
        return head.claim


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))


def test_a_signed_request_passes() -> None:
    claim = Signed(headers={"X-Amz-Target": "AmazonPersonalize.ListSchemas"}).check()
    assert (claim.key_id, claim.region, claim.service) == (HOLDER.id, "eu-west-1", "personalize")


def freeze() -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    patch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    return patch


path_text = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#%"), max_size=12)


@given(st.lists(path_text, max_size=4), st.binary(max_size=40), st.text(" ab\t", max_size=8))
def test_any_path_body_and_header_that_botocore_signs_passes(
    parts: list[str], body: bytes, value: str
) -> None:
    with freeze_context():
        Signed("/" + "/".join(parts), body, {"X-Amz-Thing": f"x{value}y"}).check()


class freeze_context:  # noqa: N801 (reads as a verb)
    def __enter__(self) -> None:
        self.patch = freeze()

    def __exit__(self, *error: Any) -> None:
        self.patch.undo()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/arn%3Aaws%3Apersonalize%3Aeu-west-1%3A000000000000%3Asolution%2Fa%2Fb",
        "/v1/jobs/arn:aws:personalize:eu-west-1:000000000000:solution/a/b",
        "/a/./b/../c//d/",
        "/v1/jobs?region=eu-west-1&b=2&a=x%20y&a=%2F",
    ],
)
def test_paths_and_queries_are_signed(path: str) -> None:
    signed = Signed(path, b"", method="GET")
    signed.check()
    signed.path += "x"
    with pytest.raises(InvalidSignature):
        signed.check()


@pytest.mark.parametrize("change", ["body", "target", "date", "path", "method", "query", "token", "host"])
def test_whatever_is_changed_afterwards_is_noticed(change: str) -> None:
    signed = Signed(headers={"X-Amz-Target": "AmazonPersonalize.ListSchemas", "X-Amz-Security-Token": "t"})
    if change == "body":
        signed.body = b"{} "
    elif change == "path":
        signed.path = "/events"
    elif change == "method":
        signed.method = "PUT"
    elif change == "query":
        signed.query = "a=1"
    else:
        name = {"target": "x-amz-target", "date": "x-amz-date", "token": "x-amz-security-token"}.get(
            change, "host"
        )
        signed.headers[name] = "20260304T050608Z" if change == "date" else "other"
    with pytest.raises(InvalidSignature, match="does not match"):
        signed.check()


def test_a_header_of_amazon_that_is_not_signed_is_refused() -> None:
    signed = Signed()
    signed.headers["x-amz-target"] = "AmazonPersonalize.DeleteSchema"
    with pytest.raises(InvalidSignature, match="must be signed: x-amz-target"):
        signed.check()


def test_the_host_has_to_be_signed() -> None:
    signed = Signed()
    signed.headers["authorization"] = signed.headers["authorization"].replace(
        "SignedHeaders=host;", "SignedHeaders="
    )
    with pytest.raises(InvalidSignature, match="must be signed: host"):
        signed.check()


@pytest.mark.parametrize("seconds", [-MAX_SKEW - 1, MAX_SKEW + 1])
def test_a_date_beyond_fifteen_minutes(seconds: int) -> None:
    signed = Signed()
    later = datetime.fromtimestamp(NOW.timestamp() + seconds, UTC)
    with pytest.raises(RequestExpired):
        signed.check(later)


@pytest.mark.parametrize("seconds", [-MAX_SKEW, MAX_SKEW])
def test_a_date_within_fifteen_minutes(seconds: int) -> None:
    Signed().check(datetime.fromtimestamp(NOW.timestamp() + seconds, UTC))


def test_a_wrong_secret() -> None:
    with pytest.raises(InvalidSignature):
        Signed(credentials=Credentials(HOLDER.id, "guess")).check()


def test_an_unknown_key() -> None:
    with pytest.raises(InvalidClientTokenId, match="security token"):
        Signed(credentials=Credentials("AKIAUNKNOWN", HOLDER.secret)).check()


def test_a_signature_for_another_service() -> None:
    with pytest.raises(InvalidSignature, match="correct service"):
        Signed(service="s3").check()


def test_a_credential_of_another_day() -> None:
    signed = Signed()
    signed.headers["authorization"] = signed.headers["authorization"].replace("/20260304/", "/20260303/")
    with pytest.raises(InvalidSignature, match="Date in Credential"):
        signed.check()


def test_no_authorization() -> None:
    signed = Signed()
    del signed.headers["authorization"]
    with pytest.raises(MissingAuthenticationToken):
        signed.check()


def test_no_date() -> None:
    signed = Signed()
    del signed.headers["x-amz-date"]
    with pytest.raises(IncompleteSignature, match="X-Amz-Date"):
        signed.check()


@pytest.mark.parametrize("date", ["20261304T050607Z", "2026-03-04T05:06:07Z", "yesterday", "20260304T050607"])
def test_a_malformed_date(date: str) -> None:
    signed = Signed()
    signed.headers["x-amz-date"] = date
    with pytest.raises((IncompleteSignature, RequestExpired)):
        signed.check()


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic YTpi",
        f"{START}/eu-west-1/personalize/aws4_request, SignedHeaders=host",
        f"{START}/eu-west-1/personalize, SignedHeaders=host, Signature={'0' * 64}",
        f"{START}/../x/personalize/aws4_request, SignedHeaders=host, Signature={'0' * 64}",
        f"{START}/r/personalize/aws4_request, SignedHeaders=host, Signature=xyz",
        f"{START}/r/personalize/aws4_request, SignedHeaders=host, Signature={'0' * 64}".replace("256", "1"),
    ],
)
def test_malformed_authorizations(authorization: str) -> None:
    with pytest.raises(IncompleteSignature):
        read_claim(authorization.encode())


def test_the_stated_hash_has_to_be_the_bodys() -> None:
    signed = Signed(headers={"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()})
    signed.check()
    signed.body = b"{} "
    with pytest.raises(InvalidSignature, match="not the hash of the body"):
        signed.check()


@pytest.mark.parametrize("stated", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_unsigned_bodies_are_refused(stated: str) -> None:
    with pytest.raises(InvalidSignature, match="body must be signed"):
        Signed(headers={"X-Amz-Content-SHA256": stated}).check()
