"""Adam against torch's own, and its form for large tables."""

from __future__ import annotations

import torch

from openpersonalize.algorithms.optimisers import Adam, RowWise


def test_adam_moves_as_in_torch() -> None:
    torch.manual_seed(0)
    own, wanted = ([torch.nn.Parameter(torch.ones(4, 3)), torch.nn.Parameter(torch.ones(2))] for _ in "ab")
    adam, theirs = Adam(own, (0.9, 0.98)), torch.optim.Adam(wanted, lr=1.0, betas=(0.9, 0.98))
    for step in range(5):
        theirs.param_groups[0]["lr"] = rate = 0.1 / (step + 1)
        for mine, other in zip(own, wanted, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        adam.step(rate)
        theirs.step()
        assert all(torch.allclose(mine, other, atol=1e-6) for mine, other in zip(own, wanted, strict=True))


def test_rows_move_by_the_rate_against_their_gradients_and_others_stay() -> None:
    table = torch.nn.Parameter(torch.ones(5, 4))
    rows = RowWise(table, 0.9)
    for step in range(3):
        leaf = rows.taken(torch.tensor([1, 3]))
        (leaf * torch.tensor([[2.0], [-0.001]])).sum().backward()
        rows.step(0.1)
        # A constant gradient moves by the rate, whatever its size.
        assert torch.allclose(table[1], torch.tensor(0.9 - 0.1 * step), atol=1e-4)
        assert torch.allclose(table[3], torch.tensor(1.1 + 0.1 * step), atol=1e-4)
    assert torch.equal(table[[0, 2, 4]], torch.ones(3, 4))


def test_what_has_far_to_go_takes_longer_strides() -> None:
    stride = torch.tensor([[1.0], [5.0]])
    table, other = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2))
    adam = Adam([table, other], (0.9, 0.98), [stride, None])
    rows = RowWise(torch.nn.Parameter(torch.ones(2, 3)), 0.9, stride)
    (table.sum() + other.sum()).backward()
    rows.taken(torch.tensor([0, 1])).sum().backward()
    adam.step(0.1)
    rows.step(0.1)
    for moved in (table, rows.table):
        assert torch.allclose(moved, torch.tensor([[0.9], [0.5]]).expand(2, 3), atol=1e-5)
    assert torch.allclose(other, torch.tensor(0.9), atol=1e-5)
