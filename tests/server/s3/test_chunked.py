from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.server.s3.chunked import ChunkedDecoder, ChunkSigner
from openpersonalize.server.s3.faults import Fault

DATE, SCOPE = "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"


def signing_key() -> bytes:
    key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    for part in (b"20130524", b"us-east-1", b"s3", b"aws4_request"):
        key = hmac.digest(key, part, hashlib.sha256)
    return key


def documented() -> bytes:
    """The example of Amazon's documentation: 65 KiB of "a" in chunks of 64 KiB."""
    return (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )


def decoded(body: bytes, step: int, signed: bool = True) -> tuple[bytes, dict[str, str]]:
    decoder = ChunkedDecoder(ChunkSigner(signing_key(), DATE, SCOPE, SEED) if signed else None, least=1)
    found = b"".join(
        bytes(piece) for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step])
    )
    decoder.finish()
    return found, decoder.trailers


@pytest.mark.parametrize("step", [1000, 65536, 10**6])
def test_the_documented_example(step: int) -> None:
    assert decoded(documented(), step) == (b"a" * 66560, {})


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"a" * 65536, b"a" * 65535 + b"b", 1),
        lambda body: body[: body.index(b"400;")] + body[body.index(b"0;chunk-signature=b6c6") :],
        lambda body: body.replace(b"0;chunk-signature=b6c6", b"0;chunk-signature=c6c6"),
        lambda body: body.replace(b";chunk-signature=0055", b";chunk-signature=1055"),
        lambda body: b"1\r\na\r\n" + body,
    ],
)
def test_what_was_changed_on_the_way_is_refused(change: object) -> None:
    with pytest.raises(Fault) as fault:
        decoded(change(documented()), 10**6)  # type: ignore[operator]
    assert fault.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("body", [b"", b"5\r\nab", b"5\r\nabcde\r\n", documented()[:-90]])
def test_an_end_before_the_end(body: bytes) -> None:
    with pytest.raises(Fault) as fault:
        decoded(body, 10, signed=False)
    assert fault.value.code == "IncompleteBody"


@pytest.mark.parametrize(
    "body",
    [b"x\r\n", b"-1\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"0\r\nno colon\r\n\r\n", b"0\r\na:1\r\na:2\r\n\r\n",
     b"0\r\n\r\nmore\r\n", b"0" * 2000,
     b"0\r\n" + b"".join(b"%d:%s\r\n" % (n, b"x" * 900) for n in range(10))],
)  # fmt: skip
def test_what_is_no_chunked_body(body: bytes) -> None:
    with pytest.raises(Fault) as fault:
        decoded(body, 100, signed=False)
    assert fault.value.code == "InvalidRequest"


def test_a_body_is_not_all_lines() -> None:
    """A thousand chunks cost more than a thousand times their bytes."""
    decoder = ChunkedDecoder(None)
    decoder.feed(b"2000\r\n" + b"a" * 8192 + b"\r\n")
    decoder.feed(b"1\r\na\r\n")
    with pytest.raises(Fault) as fault:
        decoder.feed(b"1\r\na\r\n")
    assert (fault.value.code, fault.value.status) == ("InvalidChunkSizeError", 403)


@given(st.lists(st.binary(min_size=1, max_size=50)), st.integers(1, 60))
def test_any_cut_gives_the_same(chunks: list[bytes], step: int) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    body += b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    assert decoded(body, step, signed=False) == (b"".join(chunks), {"x-amz-checksum-crc32": "AAAAAA=="})


def test_a_signed_trailer() -> None:
    """Amazon's documented example with a trailing CRC-32C."""
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    body = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    decoder = ChunkedDecoder(ChunkSigner(signing_key(), DATE, SCOPE, seed))
    assert sum(len(piece) for piece in decoder.feed(body)) == 66560
    decoder.finish()
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}
    decoder = ChunkedDecoder(ChunkSigner(signing_key(), DATE, SCOPE, seed))
    with pytest.raises(Fault):
        decoder.feed(body.replace(b"sOO8/Q==", b"sOO8/A=="))
