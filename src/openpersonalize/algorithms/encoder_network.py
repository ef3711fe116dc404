"""The network that `encoder` scores with, in torch: for training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .companion import Float32, Int64
from .encoder import GAPS, Encoder
from .encoder_plan import Feature, Plan

SPREAD = 0.02
_NAMES = {
    "gru.weight_ih_l0": "input.weight",
    "gru.bias_ih_l0": "input.bias",
    "gru.weight_hh_l0": "hidden.weight",
    "gru.bias_hh_l0": "hidden.bias",
}


class Gated(nn.Module):
    """See `encoder`: a gated transformer block."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        d = plan.shape.d
        self.heads = plan.shape.heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.query, self.key, self.value, self.out = (
            nn.Parameter(torch.randn(d, d) * d**-0.5) for _ in range(4)
        )
        self.gate1, self.gate2 = nn.Linear(d, d), nn.Linear(d, d)
        self.up = nn.Parameter(torch.randn(4 * d, d) * d**-0.5)
        self.down = nn.Parameter(torch.randn(d, 2 * d) * (2 * d) ** -0.5)
        self.position = nn.Parameter(torch.zeros(plan.shape.heads, plan.shape.longest))
        self.drop = nn.Dropout(plan.dropout)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, d = x.shape
        normed = self.norm1(x)

        def heads(weight: Tensor) -> Tensor:
            parts: Tensor = (normed @ weight.T).view(rows, length, self.heads, d // self.heads)
            return parts.transpose(1, 2)

        place = torch.arange(length)
        distance = place[:, None] - place
        bias = functional.embedding(distance.clamp(min=0), self.position.T).permute(2, 0, 1)
        bias = bias.masked_fill(distance < 0, -math.inf)
        logits = heads(self.query) @ heads(self.key).transpose(2, 3) * (d // self.heads) ** -0.5 + bias
        mixed = (logits.softmax(-1) @ heads(self.value)).transpose(1, 2).reshape(rows, length, d)
        x = x + torch.sigmoid(self.gate1(x)) * self.drop(mixed @ self.out.T)
        a, b = (self.norm2(x) @ self.up.T).chunk(2, -1)
        fed: Tensor = torch.sigmoid(self.gate2(x)) * self.drop((functional.silu(a) * b) @ self.down.T)
        return x + fed


class Recurrent(nn.Module):
    """See `encoder`: a GRU block."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        d = plan.shape.d
        self.norm1 = nn.LayerNorm(d)
        self.gru = nn.GRU(d, 2 * d, batch_first=True)
        self.back = nn.Parameter(torch.randn(d, 2 * d) * (2 * d) ** -0.5)
        self.drop = nn.Dropout(plan.dropout)

    def forward(self, x: Tensor) -> Tensor:
        fed: Tensor = self.drop(self.gru(self.norm1(x))[0] @ self.back.T)
        return x + fed


class Network(nn.Module):
    """All blocks, and vectors of the items that have events, under numbers of their own."""

    def __init__(
        self,
        plan: Plan,
        n: int,
        known: Int64,
        kinds: int,
        features: Sequence[Feature],
        sparse: bool,
    ) -> None:
        """Weights drawn from torch's generator.

        Args:
            plan: how it is trained.
            n: items in the catalogue. known: int64[m], those with events, in order.
            kinds: of events, with the unknown kind.
            features: of all n items.
            sparse: the gradients of the id vectors name the rows that were touched.
        """
        super().__init__()
        d = plan.shape.d
        self.plan, self.n, self.known, self.sparse = plan, n, known, sparse
        self.ids = nn.Parameter(torch.randn(len(known), d) * SPREAD)
        self.event = nn.Parameter(torch.zeros(kinds, d))
        self.gap = nn.Parameter(torch.zeros(GAPS, d))
        self.values = nn.ParameterList(torch.randn(one.size, d) * SPREAD for one in features)
        self.features = tuple(features)
        self.of_known = tuple(one.of(known) for one in features)
        make = Recurrent if plan.shape.block == "recurrent" else Gated
        self.blocks = nn.ModuleList(make(plan) for _ in range(plan.shape.blocks))
        self.norm = nn.LayerNorm(d)
        self.drop = nn.Dropout(plan.dropout)

    def vectors(self, rows: Int64 | None) -> Tensor:
        """float32[rows, d], the vectors of some of the items with events, or of all: id and features, some
        without id."""
        chosen = (
            self.ids
            if rows is None
            else functional.embedding(torch.from_numpy(rows), self.ids, sparse=self.sparse)
        )
        if self.features and self.plan.id_dropout:
            chosen = chosen * (torch.rand(len(chosen), 1) >= self.plan.id_dropout)
        of = self.of_known if rows is None else tuple(one.of(rows) for one in self.of_known)
        return self._with_features(chosen, of)

    def _with_features(self, vectors: Tensor, features: Sequence[Feature]) -> Tensor:
        for values, one in zip(self.values, features, strict=True):
            code, start = torch.from_numpy(one.code.astype(np.int64)), torch.from_numpy(one.ptr[:-1])
            vectors = vectors + functional.embedding_bag(code, values, start, mode="mean")
        return vectors

    def forward(self, vectors: Tensor, event: Tensor, gap: Tensor) -> Tensor:
        """float32[windows, length, d], the state after each event."""
        x = vectors * math.sqrt(self.plan.shape.d)
        x = x + functional.embedding(event, self.event) + functional.embedding(gap, self.gap)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x)
        state: Tensor = self.norm(x)
        return state

    def go_on_from(self, start: Encoder) -> None:
        """Take over the weights of an encoder; items without events then keep their fresh id vectors."""
        trained = start.trained
        if trained is None:
            raise ValueError("an opened encoder cannot be trained further")
        with torch.no_grad():
            ids = torch.from_numpy(trained["ids"][self.known])
            met = ids.abs().amax(dim=1, keepdim=True) > 0
            self.ids.copy_(torch.where(met, ids, self.ids))
            for name, value in self.named_parameters():
                if name != "ids":
                    value[: len(trained[name])].copy_(torch.from_numpy(trained[name]))

    def export(self) -> Encoder:
        """The weights as they are. Items without events have the vector of their features."""
        with torch.no_grad():
            ids = torch.zeros(self.n, self.plan.shape.d)
            ids[torch.from_numpy(self.known)] = self.ids
            weights = {"items": self._with_features(ids, self.features), "event": self.event, "gap": self.gap}
            weights |= {f"norm.{name}": value for name, value in self.norm.named_parameters()}
            for number, block in enumerate(self.blocks):
                for name, value in block.named_parameters():
                    weights[f"block{number}.{_NAMES.get(name, name)}"] = value
            trained = {name: _array(value) for name, value in self.named_parameters() if name != "ids"}
            trained["ids"] = _array(ids)
            return Encoder(self.plan.shape, {name: _array(value) for name, value in weights.items()}, trained)


def _array(value: Tensor) -> Float32:
    copy: Float32 = np.ascontiguousarray(value.detach().float().numpy().copy())
    return copy
