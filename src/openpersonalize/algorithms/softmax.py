"""Softmax cross-entropy over a catalogue, fused with its gradients: `softmax_loss`. The logits of a few rows
fit into the cache, and none survive.

Only the gradients of both factors are kept for the backward pass, so memory is (rows + items) * d, and
`CHUNK` * items for the logits. With candidates drawn by chance, the logarithm of the chance that an item is
among them is subtracted from its logit (Bengio and Senecal 2008; "logQ correction", Yi et al. 2019).

In bfloat16 both factors are filled up to multiples of `CHUNK`: for each new shape torch prepares a product
anew, which takes longer than the product, and keeps what it prepared (hundreds of MB over a training).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

CHUNK = 256
LEAST = 1e-37
"""A chance below this counts as this in the loss that is told; its gradient is exact."""


class _Softmax(Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, items: Tensor, target: Tensor, correction: Tensor | None, low: torch.dtype
    ) -> Tensor:
        by_hidden, by_items = torch.empty_like(hidden), torch.zeros_like(items)
        loss = hidden.new_zeros(())
        exact = low is torch.float32
        table, bias = items, None if correction is None else -correction
        if not exact:
            absent = -len(items) % CHUNK
            table = pad(items, (0, 0, 0, absent)).to(low)
            bias = pad(hidden.new_zeros(len(items)) if bias is None else bias, (0, absent), value=-math.inf)
        most = min(CHUNK, len(hidden)) if exact else CHUNK
        logits_room, share_room = (hidden.new_empty((most, len(table))) for _ in range(2))
        for begin in range(0, len(hidden), CHUNK):
            rows = slice(begin, begin + CHUNK)
            part, wanted = hidden[rows], target[rows, None]
            count = len(part)
            if not exact:
                part = pad(part, (0, 0, 0, CHUNK - count)).to(low)
            logits = _products(part, table, bias, logits_room[: len(part)])
            share = torch.softmax(logits, 1, out=share_room[: len(part)])
            reached = share[:count].gather(1, wanted)
            loss -= reached.clamp_min(LEAST).log().sum()
            share[:count].scatter_(1, wanted, reached - 1.0)
            if exact:
                torch.mm(share, table, out=by_hidden[rows])
                by_items.addmm_(share.T, part)
            else:
                share = share.to(low)
                by_hidden[rows] = (share @ table)[:count]
                by_items += (share.T @ part)[: len(items)]
        ctx.save_for_backward(by_hidden, by_items)
        return loss / len(hidden)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        by_hidden, by_items = ctx.saved_tensors
        scale = gradients[0] / len(by_hidden)
        return by_hidden * scale, by_items * scale, None, None, None


def _products(part: Tensor, table: Tensor, bias: Tensor | None, room: Tensor) -> Tensor:
    """float32[rows, items]: the dot products, plus `bias`, in `room`."""
    if part.dtype is not torch.float32:
        room.copy_(part @ table.T)
        return room if bias is None else room.add_(bias)
    if bias is None:
        return torch.mm(part, table.T, out=room)
    return torch.addmm(bias, part, table.T, out=room)


def softmax_loss(
    hidden: Tensor,
    items: Tensor,
    target: Tensor,
    correction: Tensor | None = None,
    low: torch.dtype = torch.float32,
) -> Tensor:
    """The mean negative log-likelihood of each row's target.

    Args:
        hidden: float32[rows, d]. items: float32[m, d], the vectors of the candidates.
        target: int64[rows], the place of the row's target among the candidates.
        correction: float32[m], logarithm of the chance that a candidate is one; None when all items are.
        low: the type of the matrix products; sums are in float32.
    """
    loss: Tensor = _Softmax.apply(hidden, items, target, correction, low)  # type: ignore[no-untyped-call]
    return loss
