"""Recommendation lists and their NDCG@10, question by question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openpersonalize.algorithms.topk import top_k

from .problem import Problem

LIST = 10
VIEWS = ("kept", "excluded")
DISCOUNTS = 1 / np.log2(np.arange(2, 2 + LIST))

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
NOTHING = np.empty(0, np.int32)


@dataclass
class Lists:
    """int32[Q, 10] for each view, best first, -1 where a list is short. ``kept``: items met before may be
    recommended, and count; ``excluded``: they may not, and do not."""

    kept: Int32
    excluded: Int32

    @classmethod
    def empty(cls, questions: int) -> Lists:
        return cls(*(np.full((questions, LIST), -1, dtype=np.int32) for _ in VIEWS))

    def put(self, k: int, kept: Float32, excluded: Float32, met: Int32, cart: Int32 = NOTHING) -> None:
        """The lists of question k, from float32[n] scores for each view, which are written into; `cart`: see
        `Problem.left_out`."""
        excluded[met] = -np.inf
        kept[cart] = -np.inf
        for view, scores in (("kept", kept), ("excluded", excluded)):
            found = top_k(scores, LIST)
            found = found[scores[found] > -np.inf]
            getattr(self, view)[k, : len(found)] = found


def met_before(problem: Problem, k: int) -> Int32:
    """The distinct items of the history of question k."""
    begin = int(problem.sequences.ptr[problem.test.user[k]])
    return np.unique(problem.sequences.item[begin : int(problem.test.start[k])])


def ndcg(lists: Lists, problem: Problem) -> dict[str, Float32]:
    """float32[Q] by view; NaN where a question has no relevant item in that view."""
    ptr, truth = problem.truth()
    found = {view: np.full(len(ptr) - 1, np.nan, dtype=np.float32) for view in VIEWS}
    for k in range(len(ptr) - 1):
        relevant = truth[ptr[k] : ptr[k + 1]]
        for view in VIEWS:
            if view == "kept":
                relevant = np.setdiff1d(relevant, problem.left_out(k))
            else:
                relevant = np.setdiff1d(relevant, met_before(problem, k))
            if len(relevant):
                hits = np.isin(getattr(lists, view)[k], relevant)
                found[view][k] = hits @ DISCOUNTS / DISCOUNTS[: min(LIST, len(relevant))].sum()
    return found
