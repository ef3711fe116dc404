"""A sentence encoder of a few hundred bytes: every word has a vector, a text their mean. Written without the
onnx package: a model is a protocol buffer of fields (number, type) and lengths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor_type(name: str, kind: int, dims: tuple[str, ...]) -> bytes:
    shape = b"".join(_part(1, _part(2, dim)) for dim in dims)
    return _part(1, name) + _part(2, _part(1, _number(1, kind) + _part(2, shape)))


def write_encoder(folder: Path, vectors: Mapping[str, tuple[float, ...]], asks: str = "input_ids") -> Path:
    """Write model.onnx and tokenizer.json; words that have no vector are zeros."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    size = len(next(iter(vectors.values())))
    table = np.array([(0.0,) * size, *vectors.values()], dtype=np.float32)
    initializer = _number(1, len(table)) + _number(1, size) + _number(2, 1)
    initializer += _part(8, "table") + _part(9, table.tobytes())
    node = _part(1, "table") + _part(1, asks) + _part(2, "last_hidden_state") + _part(4, "Gather")
    graph = _part(1, node) + _part(2, "tiny") + _part(5, initializer)
    graph += _part(11, _tensor_type(asks, 7, ("texts", "tokens")))
    graph += _part(12, _tensor_type("last_hidden_state", 1, ("texts", "tokens", "size")))
    model = _number(1, 8) + _part(7, graph) + _part(8, _part(1, "") + _number(2, 13))
    (folder / "model.onnx").write_bytes(model)
    words = {"[UNK]": 0, **{word: k + 1 for k, word in enumerate(vectors)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
