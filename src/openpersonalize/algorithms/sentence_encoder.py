"""Sentence encoders (Reimers and Gurevych 2019) from a folder of the operator's, `SentenceEncoder`: an ONNX
file and its tokenizer turn texts into dense vectors. Needs the extra ``onnx`` (onnxruntime, tokenizers), and
is used where something is trained only.

The folder holds ``model.onnx`` (or ``onnx/model.onnx``) and ``tokenizer.json``, as models of this kind are
published. Of its outputs ``sentence_embedding`` counts; of one that has a vector for each token their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Float32

MOST_TOKENS = 256
"""Tokens of a text that count, its first."""
TOGETHER = 32
"""Texts that are encoded at once."""


class SentenceEncoder:
    """A loaded encoder. Memory: that of its model, and the activations of `TOGETHER` texts."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load it.

        Raises:
            ValueError: it cannot be used; the sentence says why, and what to do.
        """
        try:
            import onnxruntime
            import tokenizers
        except ImportError as error:
            raise ValueError(
                "A sentence encoder needs onnxruntime and tokenizers: pip install 'openpersonalize[onnx]'."
            ) from error
        model = next(
            (path for path in (folder / "model.onnx", folder / "onnx" / "model.onnx") if path.is_file()), None
        )
        if model is None or not (folder / "tokenizer.json").is_file():
            raise ValueError(
                f"{folder} is no sentence encoder: it needs model.onnx (or onnx/model.onnx) and"
                " tokenizer.json."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise classes of their own
            raise ValueError(f"The sentence encoder in {folder} cannot be loaded: {error}") from error
        self._tokenizer.enable_truncation(MOST_TOKENS)
        self._tokenizer.enable_padding()
        self._inputs = {one.name for one in self._session.get_inputs()}
        outputs = [one.name for one in self._session.get_outputs()]
        self._output = "sentence_embedding" if "sentence_embedding" in outputs else outputs[0]

    def transform(self, texts: list[str], check: Callable[[], None] = lambda: None) -> Float32:
        """float32[len(texts), d] of length 1, or zero for a text without a token.

        Raises:
            ValueError: the model does not take tokens, or gives no vectors.
        """
        parts = [np.empty((0, 0), np.float32)] if not texts else []
        for start in range(0, len(texts), TOGETHER):
            check()
            parts.append(self._encoded(texts[start : start + TOGETHER]))
        found = np.concatenate(parts)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, lengths, out=found, where=lengths > 0)
        return found

    def _encoded(self, texts: list[str]) -> Float32:
        encoded = self._tokenizer.encode_batch(texts)
        given: dict[str, Any] = {
            "input_ids": np.array([one.ids for one in encoded], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], dtype=np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], dtype=np.int64),
        }
        mask = given["attention_mask"].astype(np.float32)
        if not mask.shape[1]:
            return np.zeros((len(texts), self._width()), dtype=np.float32)
        unknown = self._inputs - given.keys()
        if unknown:
            raise ValueError(
                f"The sentence encoder asks for {', '.join(sorted(unknown))}; it must take tokens."
            )
        try:
            (found,) = self._session.run(
                [self._output], {name: value for name, value in given.items() if name in self._inputs}
            )
        except Exception as error:
            raise ValueError(f"The sentence encoder fails: {error}") from error
        found = np.asarray(found, dtype=np.float32)
        if found.ndim == 3:
            found = (found * mask[:, :, None]).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None]
        if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
            raise ValueError(f"The output {self._output} of the sentence encoder is no vector for each text.")
        vectors: Float32 = np.where(mask.any(axis=1)[:, None], found, np.float32(0))
        return vectors

    def _width(self) -> int:
        size = self._session.get_outputs()[0].shape[-1]
        return size if isinstance(size, int) else 1
