"""Early stopping of the sequence encoder by what it adds to the fusion of the other rankers, `EncoderTrial`
(Prechelt, "Early stopping - but when?", 1998, by the quality of the whole instead of its own).

After the first part of its passes a sample of each scenario's held-out questions is asked, and the best
weights with it and without it are compared (`contribution`). Where it adds next to nothing anywhere, the rest
of its passes, and both fits that would go on from there, buy nothing.

It is asked by passes done, never by the clock: one seed and one data set give one model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..algorithms.encoder import Encoder
from ..algorithms.encoder_plan import Plan
from ..algorithms.ranker import BaseRanker
from ..datasets.holdout import HoldOut
from ..datasets.scenarios import Scenario
from ..datasets.sequences import Sequences
from .questions import ask
from .training import Training

TRIED_ABOVE = 1_000_000
"""Inputs of a whole training above which there is a trial; of fewer, the rest costs hardly more than it."""
QUESTIONS = 500
"""Questions of each scenario, most."""
LEAST_QUESTIONS = 100
"""Questions of a scenario of which fewer tell nothing, so that the training goes on."""
LEAST_CONTRIBUTION = 0.01
"""What it has to add to the objective of some answers, as a share, on the questions that weights are found
on. There one that is worth nothing seems to add up to 0.9 per cent (news), one that is worth 2 per cent 1.5
to 4 (a shop), those that lead 5 to 18."""


class EncoderTrial:
    """The questions by which the encoder is judged, and the other rankers, fitted on the same part of the
    data.

    Attributes:
        above: see `TRIED_ABOVE`.
    """

    def __init__(
        self,
        sequences: Sequences,
        learnt: Sequences,
        parts: Mapping[Scenario, HoldOut],
        others: Sequence[BaseRanker],
        training: Training,
        above: int = TRIED_ABOVE,
    ) -> None:
        """`parts`: the questions of each scenario; `others`: the rankers, fitted on `learnt`."""
        self._sequences, self._learnt, self._parts, self._others = sequences, learnt, parts, others
        # Its stage is the encoder's.
        self._training = replace(training, progress=lambda step, done, total, unit: None)
        self.above = above

    def fits(self, plan: Plan) -> bool:
        """Whether a training by this plan is long enough for a trial."""
        return long_enough(plan, len(self._learnt.item), self.above)

    def promising(self, encoder: Encoder) -> bool:
        """Whether it adds enough somewhere; looks no further when it does.

        Time: 3 ms for each question, and four ascents over them. Memory: see `questions_memory`.
        """
        rng = np.random.default_rng(self._training.seed)
        added = []
        for scenario, found in self._parts.items():
            size = min(QUESTIONS, len(found))
            if size < LEAST_QUESTIONS:
                return True
            some = found.take(np.sort(rng.choice(len(found), size, replace=False)))
            rankers = [encoder, *self._others]
            asked = ask(self._sequences, some, self._learnt, rankers, self._training, rng)
            for seen_excluded in (False, True):
                share = asked.contribution(0, seen_excluded, self._training.check)
                if share >= LEAST_CONTRIBUTION:
                    return True
                rule = " without items met" if seen_excluded else ""
                added.append(f"{share:.1%} {scenario.replace('_', ' ')}{rule}")
        self._training.line(
            "Encoder: left out, since to the other rankers it adds next to nothing on held-out questions "
            f"({', '.join(added)})."
        )
        return False


def long_enough(plan: Plan, events: int, above: int = TRIED_ABOVE) -> bool:
    """Whether a training by this plan, of so many events, takes more than `above` inputs."""
    return plan.passes * events > above
