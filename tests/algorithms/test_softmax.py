"""The fused loss and its gradients are those of the plain one."""

from __future__ import annotations

import pytest
import torch

from openpersonalize.algorithms.softmax import CHUNK, softmax_loss


@pytest.mark.parametrize("sampled", [False, True])
def test_as_cross_entropy(sampled: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    rows = CHUNK + 37
    hidden, items = (torch.randn(k, 8, generator=draw) for k in (rows, 50))
    target = torch.randint(0, 50, (rows,), generator=draw)
    correction = torch.randn(50, generator=draw) if sampled else None
    found = []
    for fused in (True, False):
        h, v = hidden.clone().requires_grad_(), items.clone().requires_grad_()
        if fused:
            loss = softmax_loss(h, v, target, correction)
        else:
            logits = h @ v.T if correction is None else h @ v.T - correction
            loss = torch.nn.functional.cross_entropy(logits, target)
        loss.backward()
        found.append((loss.detach(), h.grad, v.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
