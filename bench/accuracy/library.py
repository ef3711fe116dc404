"""Peers from libraries, in a Python of their own: implicit and RecTools. Arrays in, lists out.

    python library.py MODEL PROBLEM.npz ANSWER.npz --seed N --limit SECONDS

The problem holds the events to learn from (by user, oldest first) and the users asked, once for every choice
(``inner``, with the truth) and once for the answer (``full``). The answer: int32[Q, 10] lists, items met kept
in and left out, a sentence on what was chosen, CPU seconds of the last training.

Imports nothing of the package that it is compared with.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse

warnings.simplefilter("ignore")
LIST = 10


class Part:
    """One of the two halves of a problem."""

    def __init__(self, arrays, name):
        self.user, self.item = arrays[f"{name}_user"], arrays[f"{name}_item"]
        self.asked = arrays[f"{name}_asked"]
        self.truth = arrays["inner_truth_ptr"], arrays["inner_truth"]
        self.users, self.items = int(arrays["users"]), int(arrays["items"])
        ones = np.ones(len(self.user), dtype=np.float32)
        self.counts = sparse.csr_matrix((ones, (self.user, self.item)), shape=(self.users, self.items))

    def lists(self, score):
        """Both views; `score` gives float32[b, items] for some of the users asked."""
        made = {view: np.full((len(self.asked), LIST), -1, dtype=np.int32) for view in ("kept", "excluded")}
        for begin in range(0, len(self.asked), 256):
            users = self.asked[begin : begin + 256]
            scores = np.array(score(users), dtype=np.float32)
            rows = slice(begin, begin + len(users))
            made["kept"][rows] = best(scores)
            met = self.counts[users]
            scores[np.repeat(np.arange(len(users)), np.diff(met.indptr)), met.indices] = -np.inf
            made["excluded"][rows] = best(scores)
        return made

    def value(self, made):
        """NDCG@10 of lists against the truth of the inner half, both views added up."""
        ptr, truth = self.truth
        discounts = 1 / np.log2(np.arange(2, 2 + LIST))
        total = 0.0
        for view, lists in made.items():
            values = []
            for k, user in enumerate(self.asked.tolist()):
                relevant = truth[ptr[k] : ptr[k + 1]]
                if view == "excluded":
                    relevant = np.setdiff1d(relevant, self.counts[user].indices)
                if len(relevant):
                    hits = np.isin(lists[k], relevant)
                    values.append(hits @ discounts / discounts[: min(LIST, len(relevant))].sum())
            total += float(np.mean(values)) if values else 0.0
        return total


def best(scores):
    """int32[b, 10], best first."""
    width = min(LIST, scores.shape[1])
    top = np.argpartition(-scores, width - 1, axis=1)[:, :width]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    found = np.full((len(scores), LIST), -1, dtype=np.int32)
    found[:, :width] = np.take_along_axis(top, order, axis=1)
    return found


def neighbours(kind):
    """Item neighbours of implicit."""
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

    def fit(part, option, seed):
        made = {"cosine": CosineRecommender, "bm25": BM25Recommender}[kind]
        model = made(K=option["K"], num_threads=1)
        model.fit(part.counts, show_progress=False)
        return lambda users: (part.counts[users] @ model.similarity).toarray()

    return fit, [{"K": 50}, {"K": 100}, {"K": 200}]


def factors(kind):
    """Matrix factorisations of implicit."""
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking

    def fit(part, option, seed):
        made = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}[kind]
        model = made(num_threads=1, random_state=seed, **option)
        model.fit(part.counts, show_progress=False)
        return lambda users: model.user_factors[users] @ model.item_factors.T

    if kind == "als":
        grid = itertools.product((64, 128), (1.0, 10.0), (0.01, 0.1))
        return fit, [{"factors": f, "alpha": a, "regularization": r, "iterations": 15} for f, a, r in grid]
    grid = itertools.product((64, 128), (0.01, 0.05), (0.003, 0.01))
    return fit, [
        {"factors": f, "learning_rate": rate, "regularization": r, "iterations": 150} for f, rate, r in grid
    ]


def simple(model, inner, full, seed):
    """Choose on the inner half, answer from the full one."""
    fit, options = {
        "itemknn": lambda: neighbours("cosine"),
        "bm25": lambda: neighbours("bm25"),
        "als": lambda: factors("als"),
        "bpr": lambda: factors("bpr"),
    }[model]()
    values = [inner.value(inner.lists(fit(inner, option, seed))) for option in options]
    chosen = options[int(np.argmax(values))]
    began = time.process_time()
    score = fit(full, chosen, seed)
    seconds = time.process_time() - began
    return full.lists(score), ", ".join(f"{k} {v:g}" for k, v in chosen.items()), seconds, True


class Transformer:
    """SASRec or eSASRec of RecTools: what both ways of training share."""

    def __init__(self, model, part, seed):
        import pandas as pd
        import torch
        from pytorch_lightning import seed_everything
        from rectools import Columns
        from rectools.dataset import Dataset

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        seed_everything(seed)
        self.model, self.part, self.seed = model, part, seed
        self.lengths = np.bincount(part.user, minlength=part.users)
        self.longest = self.window()
        self.batch = 128 if (self.lengths > 1).sum() > 5_000 else 32
        self.dataset = Dataset.construct(
            pd.DataFrame(
                {
                    Columns.User: part.user,
                    Columns.Item: part.item,
                    Columns.Weight: 1.0,
                    # Places in order, so that equal timestamps keep the order of arrival.
                    Columns.Datetime: pd.to_datetime(np.arange(len(part.user)), unit="s"),
                }
            )
        )

    def window(self):
        """Events of a user that are read. Every history is padded to it, so that a pass costs in proportion:
        20 where three quarters of all events are among the last 20 of their user, else 50, or 100 where the
        mean history is longer than 50."""
        lengths = self.lengths[self.lengths > 0]
        if np.minimum(lengths, 20).sum() >= 0.75 * lengths.sum():
            return 20
        return 50 if lengths.mean() < 50 else 100

    def built(self, trainer, held=None):
        """The model, not trained yet; `held` marks events that validate."""
        from rectools.models import SASRecModel
        from rectools.models.nn.transformers.ligr import LiGRLayers

        settings = {
            "n_factors": 64,
            "n_blocks": 2,
            "n_heads": 2,
            "session_max_len": self.longest,
            "batch_size": self.batch,
            "lr": 1e-3,
            "get_trainer_func": trainer,
        }
        if held is not None:
            settings["get_val_mask_func"] = lambda interactions: held[interactions.index.to_numpy()]
        if self.model == "esasrec" or self.part.items > 10_000:
            settings |= {"loss": "sampled_softmax", "n_negatives": 128}
        if self.model == "esasrec":
            settings["transformer_layers_type"] = LiGRLayers
        return SASRecModel(**settings)

    def trainer(self, callbacks=(), passes=500):
        """Quiet, on the CPU."""
        from pytorch_lightning import Trainer

        return Trainer(
            max_epochs=passes,
            min_epochs=1,
            accelerator="cpu",
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
            num_sanity_val_steps=0,
            callbacks=list(callbacks),
        )

    def held(self):
        """bool[N]: the last event of a fifth of the users, of 2,000 at most; all others train."""
        enough = np.flatnonzero(self.lengths >= 3)
        count = min(2_000, max(1, len(enough) // 5))
        checked = np.random.default_rng(self.seed).choice(enough, count, replace=False)
        held = np.zeros(len(self.part.user), dtype=bool)
        held[np.cumsum(self.lengths)[checked] - 1] = True
        return held

    def lists(self, built, views=("kept", "excluded")):
        """int32[Q, 10] by view."""
        from rectools import Columns

        asked = self.part.asked
        place = np.full(self.part.users, -1)
        place[asked] = np.arange(len(asked))
        made = {}
        for view in views:
            found = built.recommend(
                users=asked[self.lengths[asked] > 0],
                dataset=self.dataset,
                k=LIST,
                filter_viewed=view == "excluded",
                on_unsupported_targets="ignore",
            )
            lists = np.full((len(asked), LIST), -1, dtype=np.int32)
            rows = place[found[Columns.User].to_numpy()]
            lists[rows, found[Columns.Rank].to_numpy() - 1] = found[Columns.Item].to_numpy()
            made[view] = lists
        return made

    def told(self, passes):
        """The settings, in words."""
        return f"d 64, 2 blocks, length {self.longest}, batch {self.batch}, {passes} passes"


def transformer(model, full, seed, limit, curve):
    """Train to early stop on held-out last events (three checks without gain), or to the limit."""
    from pytorch_lightning import Callback

    class Stop(Callback):
        """Keeps the weights of the best validation loss."""

        def __init__(self):
            self.least, self.misses, self.kept, self.early = np.inf, 0, None, False
            self.began = time.process_time()

        def __deepcopy__(self, memo):
            # RecTools trains with a copy of the trainer: this one is to be read afterwards.
            return self

        def on_validation_end(self, trainer, module):
            if trainer.sanity_checking:
                return
            value = float(trainer.callback_metrics["val_loss"])
            spent = time.process_time() - self.began
            curve.append((trainer.current_epoch + 1, round(spent, 1), round(value, 4)))
            print(f"pass {trainer.current_epoch + 1}: {spent:.0f} s, loss {value:.4f}", flush=True)
            if value < self.least - 1e-4:
                self.least, self.misses = value, 0
                self.kept = {name: one.detach().clone() for name, one in module.state_dict().items()}
            else:
                self.misses += 1
                self.early = self.misses >= 3
            trainer.should_stop = trainer.should_stop or self.early or spent > limit

        def on_train_batch_end(self, trainer, module, *_):
            if time.process_time() - self.began > 1.5 * limit:
                trainer.should_stop = True

    stop = Stop()
    peer = Transformer(model, full, seed)
    built = peer.built(lambda: peer.trainer([stop]), peer.held())
    began = time.process_time()
    built.fit(peer.dataset)
    seconds = time.process_time() - began
    if stop.kept is not None:
        built.lightning_model.load_state_dict(stop.kept)
    return peer.lists(built), peer.told(len(curve)), seconds, stop.early


def timed(model, inner, seed, limit, curve):
    """NDCG@10 on the inner questions after every pass, met items left out, beside the CPU seconds of training
    alone; to five passes without gain, or to the limit."""
    peer = Transformer(model, inner, seed)
    built = peer.built(lambda: peer.trainer(passes=1))
    spent, top, misses = 0.0, -1.0, 0
    while misses < 5 and spent < limit:
        began = time.process_time()
        built.fit_partial(peer.dataset, min_epochs=1, max_epochs=1)
        spent += time.process_time() - began
        value = inner.value(peer.lists(built, views=("excluded",)))
        curve.append((len(curve) + 1, round(spent, 1), round(value, 5)))
        print(f"pass {len(curve)}: {spent:.0f} s, NDCG@10 {value:.4f}", flush=True)
        top, misses = (value, 0) if value > top else (top, misses + 1)
    return {}, peer.told(len(curve)), spent, misses >= 5


def main():
    """See the module."""
    parser = argparse.ArgumentParser(description="Lists of a peer.")
    parser.add_argument("model")
    parser.add_argument("problem", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1200.0)
    parser.add_argument("--timed", action="store_true", help="a curve of accuracy over time instead of lists")
    given = parser.parse_args()
    arrays = np.load(given.problem)
    full = Part(arrays, "full")
    curve = []
    if given.timed:
        lists, told, seconds, ended = timed(
            given.model, Part(arrays, "inner"), given.seed, given.limit, curve
        )
    elif given.model in ("sasrec", "esasrec"):
        lists, told, seconds, ended = transformer(given.model, full, given.seed, given.limit, curve)
    else:
        lists, told, seconds, ended = simple(given.model, Part(arrays, "inner"), full, given.seed)
    facts = {
        "chosen": told,
        "seconds": round(seconds, 1),
        "finished": bool(ended),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "curve": curve,
    }
    np.savez(given.answer, **lists, facts=json.dumps(facts))


if __name__ == "__main__":
    main()
