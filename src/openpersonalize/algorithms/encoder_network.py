"""The sequence encoder as a torch module, for training; `encoder` runs the same weights in NumPy:
`Network`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .arrays import Float32, Int64
from .encoder import GAPS, Encoder
from .encoder_plan import Plan
from .item_attribute import ItemAttribute

SPREAD = 0.02
_ROWS = 65_536
_NAMES = {
    "gru.weight_ih_l0": "input.weight",
    "gru.bias_ih_l0": "input.bias",
    "gru.weight_hh_l0": "hidden.weight",
    "gru.bias_hh_l0": "hidden.bias",
}


class Drop(nn.Module):
    """Dropout whose random numbers are a byte per element: a third of the cost of torch's.

    The share that is dropped is `share` rounded to 256ths.
    """

    def __init__(self, share: float) -> None:
        """Seeded from torch's generator."""
        super().__init__()
        self.edge = round(256 * share)
        self.random = np.random.default_rng(int(torch.randint(2**62, ())))

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.edge):
            return x
        drawn = self.random.integers(0, 2**64, -(-x.numel() // 8), dtype=np.uint64).view(np.uint8)
        kept = torch.from_numpy(drawn)[: x.numel()].view(x.shape) >= self.edge
        return x * (kept * (256 / (256 - self.edge)))


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
        self.drop = Drop(plan.dropout)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, d = x.shape
        normed = self.norm1(x)

        def heads(value: Tensor) -> Tensor:
            return value.view(rows, length, self.heads, d // self.heads).transpose(1, 2)

        query = heads((normed @ self.query.T) * (d // self.heads) ** -0.5)
        key, value = heads(normed @ self.key.T), heads(normed @ self.value.T)
        logits = query @ key.transpose(2, 3) + self._bias(length)
        mixed = (logits.softmax(-1) @ value).transpose(1, 2).reshape(rows, length, d)
        x = x + torch.sigmoid(self.gate1(x)) * self.drop(mixed @ self.out.T)
        a, b = (self.norm2(x) @ self.up.T).chunk(2, -1)
        fed: Tensor = torch.sigmoid(self.gate2(x)) * self.drop((functional.silu(a) * b) @ self.down.T)
        return x + fed

    def _bias(self, length: int) -> Tensor:
        """float32[heads, length, length]: `position` by distance, -infinity for what is to come."""
        ahead = self.position.new_full((self.heads, length - 1), -math.inf)
        line = torch.cat((self.position[:, :length].flip(1), ahead), dim=1)
        return line.unfold(1, length, 1).flip(1)


class Recurrent(nn.Module):
    """See `encoder`: a GRU block."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        d = plan.shape.d
        self.norm1 = nn.LayerNorm(d)
        self.gru = nn.GRU(d, 2 * d, batch_first=True)
        self.back = nn.Parameter(torch.randn(d, 2 * d) * (2 * d) ** -0.5)
        self.drop = Drop(plan.dropout)

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
        features: Sequence[ItemAttribute],
    ) -> None:
        """Weights drawn from torch's generator.

        Args:
            plan: how it is trained.
            n: items in the catalogue. known: int64[m], those with events, in order.
            kinds: of events, with the unknown kind.
            features: of all n items.
        """
        super().__init__()
        d = plan.shape.d
        self.plan, self.n, self.known = plan, n, known
        self.ids = nn.Parameter(torch.empty(len(known), d).normal_(0.0, SPREAD))
        self.event = nn.Parameter(torch.zeros(kinds, d))
        self.gap = nn.Parameter(torch.zeros(GAPS, d))
        self.values = nn.ParameterList(torch.randn(one.size, d) * SPREAD for one in features)
        self.features = tuple(features)
        self.of_known = tuple(one.of(known) for one in features)
        make = Recurrent if plan.shape.block == "recurrent" else Gated
        self.blocks = nn.ModuleList(make(plan) for _ in range(plan.shape.blocks))
        self.norm = nn.LayerNorm(d)
        self.drop = Drop(plan.dropout)

    def vectors(self, ids: Tensor, rows: Int64 | None) -> Tensor:
        """float32[rows, d], the vectors of items with events: their id vectors `ids`, some left out, and
        their features. `rows`: which items; None: all."""
        if self.features and self.plan.id_dropout:
            ids = ids * (torch.rand(len(ids), 1) >= self.plan.id_dropout)
        of = self.of_known if rows is None else tuple(one.of(rows) for one in self.of_known)
        return self._with_features(ids, of)

    def _with_features(self, vectors: Tensor, features: Sequence[ItemAttribute]) -> Tensor:
        for values, one in zip(self.values, features, strict=True):
            if one.dense is not None:
                vectors = vectors + torch.from_numpy(one.dense) @ values
                continue
            code, start = torch.from_numpy(one.code.astype(np.int64)), torch.from_numpy(one.ptr[:-1])
            vectors = vectors + functional.embedding_bag(code, values, start, mode="mean")
        return vectors

    def forward(self, vectors: Tensor, event: Tensor, gap: Tensor) -> Tensor:
        """float32[windows, length, d], the state after each event.

        Args:
            vectors: float32[windows, length, d], of the events' items.
            event, gap: int64[windows * length], the kind of each event, and the time since the one before it.
        """
        x = vectors * math.sqrt(self.plan.shape.d)
        x = x + self.event.index_select(0, event).view_as(x) + self.gap.index_select(0, gap).view_as(x)
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
            for begin in range(0, len(self.known), _ROWS):
                rows = slice(begin, begin + _ROWS)
                ids = torch.from_numpy(trained["ids"][self.known[rows]])
                met = ids.abs().amax(dim=1, keepdim=True) > 0
                self.ids[rows] = torch.where(met, ids, self.ids[rows])
            for name, value in self.named_parameters():
                if name != "ids":
                    value[: len(trained[name])].copy_(torch.from_numpy(trained[name]))

    def export(self) -> Encoder:
        """The weights as they are; large arrays are not copied, and go on changing with the training.

        Items without events have the vector of their features.
        """
        with torch.no_grad():
            ids = self.ids
            if len(self.known) < self.n:
                ids = torch.zeros(self.n, self.plan.shape.d)  # type: ignore[assignment]
                ids[torch.from_numpy(self.known)] = self.ids
            weights = {"items": self._with_features(ids, self.features), "event": self.event, "gap": self.gap}
            weights |= {f"norm.{name}": value for name, value in self.norm.named_parameters()}
            for number, block in enumerate(self.blocks):
                for name, value in block.named_parameters():
                    weights[f"block{number}.{_NAMES.get(name, name)}"] = value
            trained = {name: value.numpy(force=True) for name, value in self.named_parameters()}
            trained["ids"] = ids.numpy(force=True)
            shown = {name: value.numpy(force=True) for name, value in weights.items()}
            return Encoder(self.plan.shape, shown, trained)


def kept(encoder: Encoder, room: Encoder | None) -> Encoder:
    """A copy of what `Network.export` gave, in the arrays of `room`, an earlier copy, where there is one.

    Arrays that are one in the encoder are one in the copy.
    """
    assert encoder.trained is not None
    copies: dict[tuple[int, tuple[int, ...]], Float32] = {}

    def copied(some: Mapping[str, Float32], earlier: Mapping[str, Float32]) -> dict[str, Float32]:
        found = {}
        for name, value in some.items():
            place = (value.ctypes.data, value.shape)
            if place not in copies:
                copies[place] = earlier[name] if name in earlier else np.empty_like(value)
                np.copyto(copies[place], value)
            found[name] = copies[place]
        return found

    weights = copied(encoder.weights, room.weights if room else {})
    return Encoder(encoder.shape, weights, copied(encoder.trained, (room and room.trained) or {}))
