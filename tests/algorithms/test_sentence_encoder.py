"""Sentence encoders from a folder: their vectors, and what is wrong with a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algorithms.tiny_onnx import write_encoder
from openpersonalize.algorithms.sentence_encoder import TOGETHER, SentenceEncoder

VECTORS = {"tea": (1.0, 0.0), "saw": (0.0, 1.0), "green": (1.0, 1.0)}


def test_a_text_is_the_mean_of_its_tokens_however_many_are_encoded_at_once(tmp_path: Path) -> None:
    encoder = SentenceEncoder(write_encoder(tmp_path, VECTORS))
    texts = ["tea", "saw saw saw", "green tea", "", "tea saw"] * TOGETHER
    found = encoder.transform(texts)
    wanted = np.array([[1, 0], [0, 1], np.array([2, 1]) / np.sqrt(5), [0, 0], np.array([1, 1]) / np.sqrt(2)])
    assert found.dtype == np.float32
    assert np.allclose(found, np.tile(wanted, (TOGETHER, 1)), atol=1e-6)


@pytest.mark.parametrize("texts", [[], [""]])
def test_no_text_is_no_vector(tmp_path: Path, texts: list[str]) -> None:
    assert not SentenceEncoder(write_encoder(tmp_path, VECTORS)).transform(texts).any()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs model\.onnx .* and tokenizer\.json"):
        SentenceEncoder(tmp_path)
    folder = write_encoder(tmp_path / "broken", VECTORS)
    (folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="cannot be loaded"):
        SentenceEncoder(folder)
    asks = write_encoder(tmp_path / "asks", VECTORS, asks="pixels")
    with pytest.raises(ValueError, match="asks for pixels"):
        SentenceEncoder(asks).transform(["tea"])
