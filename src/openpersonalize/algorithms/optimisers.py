"""Optimisers in torch: `Adam`, and a row-wise form of it for tables of which a step touches few rows,
`RowWise`.

torch's own optimisers load a compiler when they are made: a second and 75 MB for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba 2015). Memory: two numbers per weight, and one more for the largest array."""

    def __init__(
        self, weights: Sequence[Tensor], betas: tuple[float, float], strides: Sequence[Tensor | None] = ()
    ) -> None:
        """`betas`: how slowly the first and the second moment move. `strides`: for each weight what its
        steps are multiplied by (None: nothing), float32 of a shape that fits."""
        self.weights = [weight.detach() for weight in weights]
        self.owners = list(weights)
        self.first = [torch.zeros_like(weight) for weight in self.weights]
        self.second = [torch.zeros_like(weight) for weight in self.weights]
        self.strides = strides or [None] * len(self.weights)
        self.betas, self.steps = betas, 0

    def step(self, rate: float) -> None:
        """Move each weight that has a gradient."""
        self.steps += 1
        one, two = self.betas
        size, root = rate / (1 - one**self.steps), (1 - two**self.steps) ** 0.5
        for owner, weight, first, second, stride in zip(
            self.owners, self.weights, self.first, self.second, self.strides, strict=True
        ):
            if owner.grad is not None:
                first.lerp_(owner.grad, 1 - one)
                second.mul_(two).addcmul_(owner.grad, owner.grad, value=1 - two)
                scale = (second.sqrt() / root).add_(EPSILON)
                weight.addcdiv_(first, scale if stride is None else scale.div_(stride), value=-size)


class RowWise:
    """Adam for a large table of which a step touches few rows, without a first moment and with one second
    moment per row: that of the mean square of the row's gradients over the steps that touched it.

    Memory: 8 bytes per row. The rows of a step are a leaf of their own in the graph of gradients, so nothing
    of the size of the table is made.
    """

    def __init__(self, table: nn.Parameter, beta: float, stride: Tensor | None = None) -> None:
        """`beta`: how slowly the second moment moves. `stride`: float32[rows of the table, 1], what the steps
        of a row are multiplied by; None: nothing."""
        self.table, self.beta, self.stride = table.detach(), beta, stride
        self.moment, self.steps = torch.zeros(len(table), 1), torch.zeros(len(table), 1)

    def taken(self, rows: Tensor) -> Tensor:
        """float32[rows, d], the rows int64[...], all different, that the next `step` moves."""
        self._rows = rows
        self._leaf = self.table.index_select(0, rows).requires_grad_()
        return self._leaf

    def step(self, rate: float) -> None:
        """Move the rows that were taken along their gradients."""
        gradient = self._leaf.grad
        assert gradient is not None
        square = gradient.square().mean(dim=1, keepdim=True)
        steps = self.steps[self._rows] + 1
        moment = self.moment[self._rows] * self.beta + square * (1 - self.beta)
        self.steps[self._rows], self.moment[self._rows] = steps, moment
        scale = (moment / (1 - self.beta**steps)).sqrt_() + EPSILON
        if self.stride is not None:
            scale /= self.stride[self._rows]
        self.table[self._rows] = self._leaf.detach() - rate * gradient / scale
