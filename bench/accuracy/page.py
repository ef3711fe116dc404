"""docs/accuracy.md: what is measured, how, and all figures, made from the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import notebook_report, replay_report, speed_report
from .cells import Cell
from .markdown import markdown
from .report import OURS, Row, rows

ABOUT = """\
# Accuracy

How good the answers of `aws-user-personalization-v2` are here, beside what a team could pick instead, on
public data. All figures below come from [accuracy.json](accuracy.json), which `make bench-accuracy` writes;
losses are listed like wins. Related items have a page of their own:
[related-items.md](related-items.md).

## What is measured

- **Data.** Every folder of `DATA_DIR` with `interactions.csv.gz` (and `items.csv.gz`, `schema-items.json`)
  in the import layout of Amazon Personalize. Of `online-retail` purchases count, of the others all events.
- **Splits.** `loo`: the last event of each user with three or more is asked for; popularity at the moment
  of the request may count whatever anybody did before that moment, as a server does. What nobody had met
  by then is a candidate all the same: *live* and ours can tell it, the other peers cannot, and on a server
  nobody has to. `time`: the newest tenth of all events is the test, and nothing of it is known. `session`: in
  the midst of sessions of that tenth, one of each user: of orders the second half is asked for with the
  first, elsewhere the next event; what is in the running session is no answer. Ours and all peers but *live*
  know no item that came after the cut, as nothing is updated: on a feed, where most questions are about
  such items, *live* leads for that alone ([how often is enough](#what-moves-replayed); [of what was known
  ours is ahead](training.md#who-is-there-and-who-arrives)). At most 10,000 users are asked, the same for
  every model. The lines of an order have no order: they are shuffled before anything is split.
- **Figure.** NDCG@10 over the whole catalogue, no sampled candidates. Two views: *kept*, as served without
  a filter (items met before may be recommended, and count), and *excluded* (they may not, and do not). Items
  that nobody met join an answer of ours by exploration alone, which is off here.
- **Choices.** Whatever a model leaves open (half-life, penalty, neighbours, factors, the weights of ours)
  is chosen on an inner split of its training part. Nothing looks at the test. Ours is weighed for the next
  event under `loo` and for a horizon under `time`, as the peers' inner splits are, and as on a server under
  `session`; a training on a server chooses by the data: baskets get a horizon, items that come and go are
  weighed as in the replay below.
  SASRec and eSASRec stop early on held-out last events (three checks without gain) and keep their best
  weights; one that its time limit stopped first carries a `*`: it might have become better.
- **Intervals.** 95 %, percentile bootstrap, 2,000 resamples of the questions; ratios are paired: the same
  questions for both. Several seeds of ours are averaged question by question first.
- **Peers.** Popularity; recent popularity; *live*: popularity at the moment of the request; *transitions*:
  the counted part of ours alone; EASE (to 13,000 items); of `implicit`: ItemKNN (cosine), BM25, ALS, BPR;
  of RecTools: SASRec and eSASRec (gated layers, sampled softmax), d = 64, 2 blocks, 2 heads, windows of 20
  events where three quarters of all events lie in them, of 50 where the mean history is shorter than that,
  and of 100 elsewhere, batches of 128 users (32 below 5,000 users), Adam at 1e-3; eSASRec, and SASRec above
  10,000 items, with 128 sampled negatives, SASRec elsewhere with the softmax over all items.
  Under `session` also co-occurrence in sessions (cosine), its sum with the user's own repeats, and
  session-kNN (VSTAN), in code of our own; peers from libraries know users and no session, and are not asked.
- **Ceiling.** *hindsight* is no peer: of the items that twenty events of the last day were about when a
  `time` test began, the one list for everybody that is best for the test itself. What was not met by then
  nobody can count; where live popularity is close to the ceiling, knowing the user is all that is left.
- **Verdict.** *win* and *LOSS*: the interval of the ratio lies above or below 1, and the ratio is not 1.00;
  *level*: neither. Targets were set before anything was measured here, from prototypes; where none was set
  the bar is 1.05 times the best peer, and splits that say little (27 users; articles that nobody had read
  yet) have none.
- **Cost.** CPU seconds of the training that answers, without the search for settings (of counted peers
  everything), one thread; peak memory of the process. Compare ratios, not seconds. Of ours also the commit.

```console
make bench-accuracy DATA_DIR=/path/to/data         # everything that is missing; stop and go on at will
make bench-accuracy DATA_DIR=/path ARGS="--data deskdrop --split loo --model openpersonalize --again"
python -m bench.accuracy.replay /path/to/data           # what moves, step by step, below
python -m bench.accuracy.notebook /path/to/data         # Amazon's own evaluation, below
python -m bench.accuracy.speed /path/to/data            # time to equal accuracy, below
python -m bench.accuracy.gaps /path/to/data OLD.json docs/accuracy.json    # ours against ours
make bench-accuracy DATA_DIR=/path ARGS=--table     # this page anew, from what is there
```
"""


PARTIAL = """\
The best peer is the best of those measured so far; a model that has no column or only a dash under "All
models" was not measured there yet, or its method does not reach that far (EASE, *hindsight*). Each section
names the commits at which ours was measured: a section that names older ones says what was true of them.
"""


def page(parts: Mapping[str, Sequence[Cell]]) -> str:
    """The whole page."""
    cells = parts[""]
    found = rows(cells)
    sections = [
        ABOUT,
        "## Ours and the best peer\n",
        PARTIAL,
        _verdicts(found),
        _commits(cells),
        "## All models\n",
        _matrix(found),
    ]
    sections += ["## Cost and settings\n", _costs(cells)]
    sections += ["## What moves, replayed\n", replay_report.page(parts["replay"]), _commits(parts["replay"])]
    sections += ["## Amazon's own evaluation, repeated\n", notebook_report.page(parts["notebook"])]
    sections += [_commits(parts["notebook"])]
    sections += ["## Time to equal accuracy\n", speed_report.page(parts["speed"]), _commits(parts["speed"])]
    return "\n".join(sections)


def _commits(cells: Sequence[Cell]) -> str:
    """A sentence with the commits of ours: the data sets of each, and their splits where these differ."""
    told = [
        (str(cell.facts["code"]), cell.key.data, cell.key.split) for cell in cells if cell.facts.get("code")
    ]
    several = {data for code, data, _ in told if any(one[1] == data and one[0] != code for one in told)}
    names: dict[str, set[str]] = {}
    for code, data, split in told:
        names.setdefault(code, set()).add(f"{data} {split}" if data in several else data)
    parts = [f"{code} ({', '.join(sorted(found))})" for code, found in names.items()]
    return f"Measured at {'; '.join(parts)}.\n" if parts else ""


def _verdicts(found: Sequence[Row]) -> str:
    head = (
        "data set",
        "split",
        "view",
        "users",
        "ours (95 %)",
        "seeds",
        "best peer",
        "ratio (95 %)",
        "verdict",
    )
    lines = []
    for row in found:
        ours = "-" if row.ours is None else f"**{row.ours:.4f}** ({row.low:.4f} to {row.high:.4f})"
        peer = "-" if row.peer is None else f"{row.peer}{_mark(row, row.peer)} {row.means[row.peer]:.4f}"
        compared = row.ours is not None and row.peer is not None
        ratio = f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})" if compared else "-"
        users = str(row.questions)
        lines.append((row.data, row.split, row.view, users, ours, str(row.seeds), peer, ratio, row.verdict))
    return markdown(head, lines)


def _matrix(found: Sequence[Row]) -> str:
    models = sorted({name for row in found for name in row.means}, key=lambda name: (name != OURS, name))
    lines = [
        (
            row.data,
            row.split,
            row.view,
            *(f"{row.means[name]:.4f}{_mark(row, name)}" if name in row.means else "-" for name in models),
        )
        for row in found
    ]
    return markdown(("data set", "split", "view", *models), lines)


def _mark(row: Row, model: str) -> str:
    return "\\*" if model in row.unfinished else ""


def _costs(cells: Sequence[Cell]) -> str:
    head = ("data set", "split", "model", "seed", "CPU s", "peak MB", "stopped by the limit", "settings")
    lines = [
        (
            cell.key.data,
            cell.key.split,
            cell.key.model,
            str(cell.key.seed),
            str(cell.facts["seconds"]),
            str(cell.facts["peak_mb"]),
            "" if cell.facts["finished"] else "yes",
            " at ".join(str(cell.facts[name]) for name in ("chosen", "code") if cell.facts.get(name)),
        )
        for cell in cells
    ]
    return markdown(head, lines)
