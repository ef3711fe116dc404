from __future__ import annotations

import re
import sys
import unicodedata

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.server.patterns import compiled, matches
from openpersonalize.server.protocol import SERVICES

TAG = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
ATTRIBUTION = r"^[\x20-\x7E]*[\x21-\x7E]+[\x20-\x7E]*$"
ARN = r"arn:([a-z\d-]+):personalize:.*:.*:.+"
KMS = r"arn:aws.*:kms:.*:[0-9]{12}:key/.*"


def model_patterns() -> set[str]:
    session = botocore.session.get_session()
    found = set()
    for service in SERVICES:
        model = session.get_service_model(service)
        found |= {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    return found - {None}


def test_every_pattern_of_the_models_has_a_translation() -> None:
    assert len(model_patterns()) >= 13
    for pattern in model_patterns():
        compiled(pattern)


def test_an_unknown_unicode_class_is_told() -> None:
    with pytest.raises(ValueError, match="Sc"):
        compiled(r"[\p{Sc}]*")


def test_tags_take_exactly_letters_numbers_separators_and_eight_signs() -> None:
    class_ = compiled(TAG)
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        allowed = unicodedata.category(char)[0] in "LNZ" or char in "_.:/=+-@"
        assert (class_.fullmatch(char) is not None) is allowed, hex(point)


@given(st.text(st.sampled_from(" a~é\x1f\n!"), max_size=8))
def test_the_linear_form_of_the_attribution_source_means_the_same(text: str) -> None:
    assert matches(ATTRIBUTION, text) is (re.fullmatch(ATTRIBUTION, text) is not None)


def test_a_long_wrong_attribution_source_is_refused_at_once() -> None:
    assert not matches(ATTRIBUTION, "a" * 1023 + "é")


@pytest.mark.parametrize(
    ("pattern", "value", "whole"),
    [
        (ARN, "arn:aws:personalize:us-east-1:000000000000:schema/x", True),
        (ARN, "arn:aws:personalize:::recipe/aws-sims", True),
        (ARN, "arn:aws:personalize:a:b:c\r", False),  # Java's dot stops at every line terminator
        (ARN, "xarn:aws:personalize:a:b:c", False),
        (ARN, "arn:aws٣:personalize:a:b:c", False),  # Java's \d is ASCII
        (r"\p{ASCII}{0,1500}", "abc\x7f", True),
        (r"\p{ASCII}{0,1500}", "é", False),
        (r"rate\(\d+ days?\)", "rate(7 days)", True),
        (r"rate\(\d+ days?\)", "rate(7 days) ", False),
        (r"^[A-Za-z_]+$", "Items\n", False),
    ],
)
def test_values(pattern: str, value: str, whole: bool) -> None:
    assert matches(pattern, value) is whole


@given(st.lists(st.sampled_from(["aws", ":", "personalize", "a-1", "\n", "\u2028", "é", "/"]), max_size=9))
def test_the_linear_form_of_an_arn_means_the_same(parts: list[str]) -> None:
    text = "arn:aws:personalize:" + "".join(parts)
    slow = re.compile(ARN.replace(".", "[^\n\r\u0085\u2028\u2029]"), re.ASCII)
    for value in (text, text[4:], f"arn:{text}"):
        assert matches(ARN, value) is (slow.fullmatch(value) is not None)


@given(
    st.lists(
        st.sampled_from(["aws", ":kms:", ":", "000000000000:key/", "000000000000", "1", "\n"]), max_size=9
    )
)
def test_the_linear_form_of_a_kms_key_means_the_same(parts: list[str]) -> None:
    text = "arn:aws" + "".join(parts)
    slow = re.compile(KMS.replace(".", "[^\n\r\u0085\u2028\u2029]"), re.ASCII)
    assert matches(KMS, text) is (slow.fullmatch(text) is not None)
