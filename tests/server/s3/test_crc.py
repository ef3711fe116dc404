from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.server.s3.crc import Crc, crc32, crc32c, crc64nvme


@pytest.mark.parametrize(
    ("crc", "check"), [(crc32c(), 0xE3069283), (crc64nvme(), 0xAE8B14860A799888), (crc32(), 0xCBF43926)]
)
def test_published_check_values(crc: Crc, check: int) -> None:
    assert crc.update(b"123456789") == check


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 4096, 262_144, 262_145, 1_000_003])
def test_crc32_as_zlib_has_it(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert crc32().update(data) == zlib.crc32(data)


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_pieces_and_joins_give_the_check_of_the_whole(left: bytes, right: bytes) -> None:
    for crc in (crc32c(), crc64nvme()):
        whole = crc.update(left + right)
        assert crc.update(right, crc.update(left)) == whole
        assert crc.joined(crc.update(left), crc.update(right), len(right)) == whole
