"""The cache bounded by bytes."""

from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.caching import OVERHEAD, ByteLRU


def test_what_was_unused_for_longest_goes_first():
    kept = ByteLRU(3 * (10 + OVERHEAD), len, "test")
    for key in "abc":
        kept.put(key, b"0123456789")
    assert kept.get("a") is not None
    kept.put("d", b"0123456789")
    assert [key for key in "abcd" if kept.get(key)] == ["a", "c", "d"]


def test_a_value_beyond_the_limit_is_not_kept_and_costs_nobody_their_place():
    kept = ByteLRU(10 + OVERHEAD, len, "test")
    kept.put("small", b"x")
    kept.put("large", b"x" * 1000)
    assert kept.get("large") is None
    assert kept.get("small") == b"x"


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=60), st.integers(0, 3000))
def test_the_limit_holds_and_the_count_of_bytes_is_true(steps, limit):
    kept = ByteLRU(limit, len, "test")
    for key, size in steps:
        kept.put(key, b"x" * size)
        assert kept.bytes <= limit
    alive = [value for key in "abcdef" if (value := kept.get(key)) is not None]
    assert kept.bytes == sum(len(value) + OVERHEAD for value in alive)
    kept.clear()
    assert len(kept) == kept.bytes == 0


def test_a_value_that_grew_is_counted_anew_when_put_again():
    kept = ByteLRU(1000, len, "test")
    value = bytearray(b"x" * 10)
    kept.put("a", value)
    value.extend(b"x" * 90)
    kept.put("a", value)
    assert kept.bytes == 100 + OVERHEAD
    kept.drop("a")
    assert kept.bytes == 0
