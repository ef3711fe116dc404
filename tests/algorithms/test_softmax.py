"""The fused loss and its gradients are those of the plain one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from openpersonalize.algorithms.softmax import CHUNK, softmax_loss


@pytest.mark.parametrize("low", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sampled", [False, True])
def test_as_cross_entropy(sampled: bool, low: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    rows = CHUNK + 37
    hidden, items = (torch.randn(k, 8, generator=draw) for k in (rows, 50))
    target = torch.randint(0, 50, (rows,), generator=draw)
    correction = torch.randn(50, generator=draw) if sampled else None
    found = []
    for fused in (True, False):
        h, v = hidden.clone().requires_grad_(), items.clone().requires_grad_()
        if fused:
            loss = softmax_loss(h, v, target, correction, low)
        else:
            logits = h @ v.T if correction is None else h @ v.T - correction
            loss = torch.nn.functional.cross_entropy(logits, target)
        loss.backward()
        found.append((loss.detach(), h.grad, v.grad))
    for one, other in zip(*found, strict=True):
        near = {"atol": 1e-5, "rtol": 1e-4} if low is torch.float32 else {"atol": 3e-4, "rtol": 1e-2}
        torch.testing.assert_close(one, other, **near)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_shapes_that_change_at_every_step_keep_no_memory() -> None:
    def megabytes() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def steps(counts: range) -> None:
        for count in counts:
            items = torch.ones(count, 64, requires_grad=True)
            target = torch.zeros(300, dtype=torch.int64)
            softmax_loss(torch.ones(300, 64, requires_grad=True), items, target, None, torch.bfloat16)

    steps(range(766, 769))
    before = megabytes()
    steps(range(520, 768, 2))  # with products of each shape: 400 MB
    assert megabytes() - before < 50
