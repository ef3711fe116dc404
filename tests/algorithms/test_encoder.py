"""The encoder learns what only order tells, scores in NumPy as in torch, and ends when told."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from algorithms.worlds import events_of, past
from openpersonalize.algorithms import encoder_training
from openpersonalize.algorithms.encoder import Block, Encoder, Shape, gap_bucket
from openpersonalize.algorithms.encoder_network import Network
from openpersonalize.algorithms.encoder_plan import Plan, memory_needed, plan_for
from openpersonalize.algorithms.encoder_training import TrainedEncoder, fit_encoder
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.item_attribute import ItemAttribute
from openpersonalize.algorithms.ranker import QueryBlock, RankerStates
from openpersonalize.errors import JobStopped

BLOCKS: tuple[Block, ...] = ("gated", "recurrent")
QUICK = Plan(Shape(d=32, longest=12), passes=40, tokens=256, rate=1e-2, candidates=0, dropout=0.0)


def two_ago(users: int = 60, n: int = 6, length: int = 14, seed: int = 0) -> Events:
    """After a, b comes a + b: neither item alone says anything about the next."""
    rng = np.random.default_rng(seed)
    histories = []
    for _ in range(users):
        one = rng.integers(0, n, 2).tolist()
        while len(one) < length:
            one.append((one[-1] + one[-2]) % n)
        histories.append(one)
    return events_of(histories, n)


def chain(users: int = 40, n: int = 10) -> Events:
    return events_of([[(user + place) % n for place in range(8)] for user in range(users)], n)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_chain(block: Block) -> None:
    encoder = fit_encoder(
        chain(), [], replace(QUICK, passes=25, shape=replace(QUICK.shape, block=block))
    ).encoder
    for last in range(10):
        feature = encoder.feature(past([(last - 1) % 10, last]))
        assert int(np.argmax(feature)) == (last + 1) % 10
        assert float(np.exp(feature).sum()) == pytest.approx(1, abs=1e-4)


def test_an_order_that_no_table_of_pairs_can_know() -> None:
    encoder = fit_encoder(two_ago(), [], replace(QUICK, passes=100)).encoder
    right = sum(
        int(np.argmax(encoder.feature(past([a, b, (a + b) % 6])))) == (a + 2 * b) % 6
        for a in range(6)
        for b in range(6)
    )
    assert right >= 33


def test_a_sampled_softmax_learns_the_chain_too() -> None:
    encoder = fit_encoder(chain(n=30), [], replace(QUICK, candidates=5, passes=60)).encoder
    right = [int(np.argmax(encoder.feature(past([last - 1, last])))) == last + 1 for last in range(1, 29)]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("block", BLOCKS)
def test_numpy_scores_as_torch_does(block: Block) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    plan = replace(QUICK, shape=Shape(block, 16, blocks=2, longest=9))
    feature = ItemAttribute(rng.integers(0, 4, 20).astype(np.int32), np.arange(21), 4)
    network = Network(plan, 20, np.arange(20), 3, [feature]).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.3)
    encoder = network.export()
    item, time = rng.integers(0, 20, 9), np.cumsum(rng.integers(0, 10**6, 9))
    event = rng.integers(-1, 2, 9).astype(np.int16)
    gap = gap_bucket(np.diff(time, prepend=time[:1]))
    with torch.no_grad():
        table = torch.from_numpy(encoder.items)
        inputs = [torch.from_numpy(np.asarray(one, np.int64))[None] for one in (item, event + 1, gap)]
        wanted = network(table[inputs[0]], inputs[1][0], inputs[2][0])[0, -1].numpy()
    found = encoder.encode(item.astype(np.int32), time, event)
    assert np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [Shape("gated", 16, 1, longest=9), Shape("gated", 16, 3, longest=9),
                                   Shape("recurrent", 16, 2, longest=9)])  # fmt: skip
def test_a_kept_state_goes_on_to_the_vector_of_the_whole_history(shape: Shape) -> None:
    torch.manual_seed(0)
    network = Network(replace(QUICK, shape=shape), 20, np.arange(20), 3, []).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.3)
    encoder = network.export()
    rng = np.random.default_rng(0)
    for length in (1, 4, 9, 14):
        item = rng.integers(0, 20, length).astype(np.int32)
        time = np.cumsum(rng.integers(0, 10**6, length))
        event = rng.integers(-1, 3, length).astype(np.int16)
        state = None
        for end in np.unique(np.concatenate((rng.integers(1, length + 1, 3), [length]))).tolist():
            state = encoder.state(item[:end], time[:end], event[:end], state)
            anew = encoder.encode(item[:end], time[:end], event[:end])
            assert np.allclose(state.vector, anew, atol=1e-5)
            assert len(state.item) == min(end, shape.longest)
        # Nothing new costs nothing; an event that came late changes what came after it.
        assert encoder.state(item, time, event, state) is state
        late = np.concatenate((time[:1] - 1, time))
        anew = encoder.encode(np.append(item[-1:], item), late, np.append(event[-1:], event))
        state = encoder.state(np.append(item[-1:], item), late, np.append(event[-1:], event), state)
        assert np.allclose(state.vector, anew, atol=1e-5)


@pytest.mark.parametrize("shape", [Shape("gated", 16, 1, longest=9), Shape("gated", 16, 3, longest=9),
                                   Shape("recurrent", 16, 2, longest=9)])  # fmt: skip
@pytest.mark.parametrize("is_indexed", [False, True])
def test_histories_of_any_lengths_together_have_the_features_of_each(shape: Shape, is_indexed: bool) -> None:
    torch.manual_seed(0)
    network = Network(replace(QUICK, shape=shape), 20, np.arange(20), 3, []).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.3)
    encoder = network.export()
    if is_indexed:
        encoder.index()
    rng = np.random.default_rng(0)
    asked = []
    for length in [1, 14, 2, 9, 9, 30, 5, *rng.integers(1, 40, 200).tolist()]:
        one = past(rng.integers(0, 20, length).tolist(), step=int(rng.integers(1, 10**5)))
        asked.append(replace(one, event=rng.integers(-1, 5, length).astype(np.int16)))
    alone = np.stack([encoder.feature(one) for one in asked])
    for some in (asked, [*asked[:7], past([])]):
        total = np.zeros((len(some), 20), dtype=np.float32)
        encoder.accumulate(QueryBlock.of(some), np.float32(0.5), total)
        assert np.allclose(2 * total[: len(asked)], alone[: len(total)] if len(total) > 8 else
                           np.concatenate((alone[:7], np.zeros((1, 20)))), atol=1e-4)  # fmt: skip


def test_a_session_keeps_what_saves_work_and_answers_alike() -> None:
    history = past([1, 2, 3, 4])
    for shape, remembers in ((QUICK.shape, False), (replace(QUICK.shape, blocks=2), True)):
        encoder = fit_encoder(chain(), [], replace(QUICK, passes=2, shape=shape)).encoder
        session = RankerStates()
        encoder.feature(replace(past([1, 2, 3]), session=session))
        assert (session.nbytes > 0) == remembers
        found = encoder.feature(replace(history, session=session))
        assert np.allclose(found, encoder.feature(history), atol=1e-5)


def test_saved_and_opened_it_scores_alike(tmp_path: Path) -> None:
    encoder = fit_encoder(chain(), [], replace(QUICK, passes=2)).encoder
    encoder.save(tmp_path)
    opened = Encoder.load(tmp_path, "encoder")
    assert np.array_equal(opened.feature(past([1, 2])), encoder.feature(past([1, 2])))
    assert not opened.feature(past([])).any()


def test_a_model_of_the_first_format_is_opened(tmp_path: Path) -> None:
    """It kept the items' vectors beside the other weights, and nothing to go on from."""
    encoder = fit_encoder(chain(), [], replace(QUICK, passes=2)).encoder
    shape = json.dumps(asdict(encoder.shape))
    save_file({**encoder.weights, "items": encoder.items}, tmp_path / "encoder.safetensors", {"shape": shape})
    opened = Encoder.load(tmp_path, "encoder")
    assert np.array_equal(opened.feature(past([1, 2])), encoder.feature(past([1, 2])))
    assert opened.trained is None


@pytest.mark.parametrize("kinds", [["values"], ["vectors"], ["values", "vectors"], []])
def test_an_opened_encoder_goes_on_and_knows_newcomers_by_their_features(
    tmp_path: Path, kinds: list[str]
) -> None:
    # Items 0 to 4 have two values, 5 to 8 one, and 9, which nobody met, none.
    code = np.array([0, 1] * 5 + [2] * 4, np.int32)
    values = ItemAttribute(code, np.cumsum([0] + [2] * 5 + [1] * 4 + [0]), 3)
    vectors = ItemAttribute.of_vectors(np.random.default_rng(0).standard_normal((10, 4), dtype=np.float32))
    features = [{"values": values, "vectors": vectors}[kind] for kind in kinds]
    world = replace(chain(), item=np.minimum(chain().item, 8))
    encoder = fit_encoder(world, features, replace(QUICK, passes=2)).encoder
    encoder.save(tmp_path)
    opened = Encoder.load(tmp_path, "encoder")
    assert encoder.trained is not None
    assert opened.trained is not None
    assert set(opened.trained) == set(encoder.trained)
    assert all(np.array_equal(opened.trained[name], value) for name, value in encoder.trained.items())
    again = [fit_encoder(world, features, QUICK.again(3), start=one).encoder for one in (encoder, opened)]
    assert np.array_equal(again[0].items, again[1].items)
    assert len(opened.values) == len(features)
    if features:
        known = encoder.items - encoder.trained["ids"]
        assert np.allclose(opened.vectors_of(features), known, atol=1e-6)
        assert np.allclose(opened.vectors_of(features)[9], encoder.items[9])


def test_an_unknown_kind_of_event_is_no_problem() -> None:
    encoder = fit_encoder(chain(), [], replace(QUICK, passes=2)).encoder
    history = replace(past([1, 2]), event=np.array([7, -1], np.int16))
    assert np.isfinite(encoder.feature(history)).all()


@pytest.mark.parametrize("candidates", [0, 5])
def test_one_seed_gives_one_encoder(candidates: int) -> None:
    plan = replace(QUICK, passes=3, candidates=candidates, dropout=0.2, horizon=2.0)
    one, two, other = (fit_encoder(chain(), [], plan, seed=seed, threads=2).encoder for seed in (1, 1, 2))
    assert all(np.array_equal(one.weights[name], two.weights[name]) for name in one.weights)
    assert not np.array_equal(one.items, other.items)


def test_items_that_nobody_met_are_known_by_their_features() -> None:
    # Items 0..9 in one colour follow each other, 10..19 in the other; nobody met 9 and 19.
    rng = np.random.default_rng(0)
    histories = [(rng.integers(0, 9, 10) + 10 * (user % 2)).tolist() for user in range(80)]
    colour = ItemAttribute((np.arange(20) // 10).astype(np.int32), np.arange(21), 2)
    encoder = fit_encoder(events_of(histories, 20), [colour], QUICK).encoder
    assert encoder.feature(past([1, 2, 3]))[9] > encoder.feature(past([1, 2, 3]))[19]
    assert encoder.feature(past([11, 12, 13]))[19] > encoder.feature(past([11, 12, 13]))[9]


def test_it_goes_on_where_it_was() -> None:
    first = fit_encoder(chain(), [], QUICK).encoder
    again = fit_encoder(chain(), [], QUICK.again(3), start=first).encoder
    assert int(np.argmax(again.feature(past([3, 4])))) == 5
    with pytest.raises(ValueError, match="opened"):
        fit_encoder(chain(), [], QUICK, start=Encoder(first.shape, first.weights))


def test_the_best_validated_weights_are_kept_and_no_time_is_wasted() -> None:
    values = iter([1.0, 3.0, 2.0, 2.0, 9.0])
    trained = fit_encoder(chain(), [], QUICK, validate=lambda encoder: next(values))
    assert trained.value == 3.0
    assert trained.passes == pytest.approx(16, abs=1)
    assert next(values) == 9.0


def test_progress_and_lines_are_told_and_it_stops_when_asked() -> None:
    told: list[tuple[float, float]] = []
    lines: list[str] = []
    fit_encoder(
        chain(), [], replace(QUICK, passes=5),
        validate=lambda encoder: float(len(lines)), progress=lambda *one: told.append(one), line=lines.append,
    )  # fmt: skip
    assert told[-1][0] == told[-1][1]
    assert len(lines) == 5
    assert "loss" in lines[0]
    assert "NDCG" in lines[0]
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise JobStopped

    with pytest.raises(JobStopped):
        fit_encoder(chain(), [], QUICK, check=stop)
    assert calls == 4


def test_a_budget_shortens_the_cycle() -> None:
    told: list[float] = []
    lines: list[str] = []
    fit_encoder(
        chain(), [], replace(QUICK, passes=10_000), budget_seconds=0.3,
        progress=lambda done, total: told.append(total), line=lines.append,
    )  # fmt: skip
    assert told[0] > 10_000
    assert told[-1] < told[0] / 10
    assert lines[-1].startswith("Encoder: cut short at 0 s, its part of training_seconds, after pass ")
    fit_encoder(chain(), [], QUICK, budget_seconds=1e6, line=lines.append)
    assert lines[-1].startswith("Encoder, pass ")


def test_plans_follow_the_size_and_memory_the_items() -> None:
    small = plan_for(chain(), False)
    assert small.passes * len(chain().item) >= 300 * small.tokens - small.tokens
    assert small.candidates == 0
    assert small.horizon == 0
    assert plan_for(chain(), True).horizon > 0
    assert memory_needed(small, 10**6, 0, 0) > memory_needed(small, 10**3, 0, 0) + 10**6 * 64 * 4 * 4
    assert math.isclose(small.again(6).rate, small.rate / 3)


@pytest.mark.parametrize("mean", [5, 40])
def test_an_event_costs_the_same_whatever_the_number_of_events(mean: int) -> None:
    plans = []
    for users in (20_000 // mean, 300_000 // mean, 3_000_000 // mean):
        ptr = np.arange(users + 1) * mean
        item = np.resize(np.arange(5_000, dtype=np.int32), ptr[-1])
        alike = np.zeros(len(item), dtype=np.int16)
        plans.append(plan_for(Events(ptr, item, ptr[:1], alike, ptr[:1].astype(np.float32), 5_000), False))
    assert len({(plan.shape, plan.candidates) for plan in plans}) == 1
    assert plans[1].tokens == plans[2].tokens >= plans[0].tokens
    assert plans[0].passes > plans[1].passes > plans[2].passes


def test_a_training_does_not_load_the_compiler_of_torch() -> None:
    """75 MB and a second."""
    train = (
        "import sys; from algorithms.test_encoder import QUICK, chain, fit_encoder\n"
        "before = {'torch._dynamo', 'torch._inductor'} & set(sys.modules)\n"
        "fit_encoder(chain(), [], QUICK)\n"
        "print(before | {'torch._dynamo', 'torch._inductor'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", train], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert (done.stdout.strip(), done.returncode) == ("set()", 0), done.stderr


@pytest.mark.parametrize("colours", [[], [ItemAttribute(np.zeros(30, np.int32), np.arange(31), 1)]])
def test_of_a_large_table_only_the_touched_rows_move(
    monkeypatch: pytest.MonkeyPatch, colours: list[ItemAttribute]
) -> None:
    monkeypatch.setattr(encoder_training, "DENSE_UPDATE_ITEMS", 10)
    plan = replace(QUICK, candidates=5, passes=60, id_dropout=0.0)
    one, two = (fit_encoder(chain(n=30), colours, plan, threads=2).encoder for _ in range(2))
    assert all(np.array_equal(one.weights[name], two.weights[name]) for name in one.weights)
    right = [int(np.argmax(one.feature(past([last - 1, last])))) == last + 1 for last in range(1, 29)]
    assert np.mean(right) > 0.9


def test_what_validation_kept_does_not_change_with_the_training() -> None:
    kept: list[np.ndarray] = []

    def validate(encoder: Encoder) -> float:
        kept.append(encoder.items.copy())
        return [1.0, 3.0, 2.0, 0.0][len(kept) - 1]

    trained = fit_encoder(chain(), [], QUICK, validate=validate).encoder
    assert np.array_equal(trained.items, kept[1])
    assert trained.trained is not None
    assert np.array_equal(trained.trained["ids"], kept[1])


def test_what_promises_nothing_is_given_up_and_asking_changes_nothing() -> None:
    asked: list[float] = []

    def promising(encoder: Encoder) -> bool:
        asked.append(float(encoder.items.sum()))
        return len(asked) == 1

    def fit(checks: int = 5, told: Callable[[Encoder], bool] | None = promising) -> TrainedEncoder:
        plan = replace(QUICK, passes=10, checks=checks)
        return fit_encoder(chain(), [], plan, validate=lambda encoder: 1.0, promising=told)

    plain, kept = fit(told=None), fit()
    assert len(asked) == 1
    assert not kept.given_up
    assert np.array_equal(plain.encoder.items, kept.encoder.items)
    ended = fit()
    assert ended.given_up
    assert ended.passes == pytest.approx(4.0, abs=0.5)
    assert asked[1] == asked[0]
    assert not fit(checks=1).given_up  # it is there already
    assert len(asked) == 2


def test_width_and_span_are_as_asked_or_by_the_size() -> None:
    own, asked = plan_for(chain(), False), plan_for(chain(), False, width=149, span=7)
    assert (own.shape.d, own.shape.longest) == (64, 50)
    assert (asked.shape.d, asked.shape.longest) == (152, 7)
    trained = fit_encoder(chain(), [], replace(asked, passes=1)).encoder
    assert trained.items.shape == (10, 152)
    # What lies further back than the span says nothing.
    assert np.allclose(
        trained.feature(past([9, 9, 1, 2, 3, 4, 5, 6, 7])), trained.feature(past([8, 1, 2, 3, 4, 5, 6, 7]))
    )
