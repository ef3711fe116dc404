"""The inverted file finds nearly all of the largest products, whatever the lengths of the vectors."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.arrays import Float32, Int64
from openpersonalize.algorithms.ivf_index import IVFIndex, memory_needed

N, D, TOPICS = 20_000, 16, 200


@pytest.fixture(scope="module")
def vectors() -> Float32:
    """Topics, with items of any length around them."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((TOPICS, D), dtype=np.float32)[rng.integers(0, TOPICS, N)]
    items += 0.4 * rng.standard_normal((N, D), dtype=np.float32)
    return items * rng.uniform(0.3, 1.5, (N, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def ivf(vectors: Float32) -> IVFIndex:
    return IVFIndex.fit(vectors, np.arange(N))


def queries(vectors: Float32) -> Float32:
    rng = np.random.default_rng(1)
    mixed = vectors[rng.integers(0, N, 50)] + 0.5 * vectors[rng.integers(0, N, 50)]
    return np.asarray(mixed, dtype=np.float32)


def exact(products: Float32, k: int) -> Int64:
    return np.argsort(-products)[:k]


def test_every_row_is_in_one_cell(vectors: Float32, ivf: IVFIndex) -> None:
    assert sorted(ivf.row.tolist()) == list(range(N))
    assert np.array_equal(ivf.vectors, vectors[ivf.row])
    assert (np.diff(ivf.ptr) > 0).all()
    assert ivf.ptr[0] == 0
    assert ivf.ptr[-1] == N
    assert 64 <= len(ivf.centre) <= 256


def test_making_it_takes_what_is_said() -> None:
    n, d = 200_000, 32
    vectors = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    rows = np.arange(n)
    tracemalloc.start()
    IVFIndex.fit(vectors, rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory_needed(n, d) == pytest.approx(peak, rel=0.25)


def test_most_of_the_best_hundred_are_found_among_an_eighth(vectors: Float32, ivf: IVFIndex) -> None:
    shares = [
        np.isin(exact(vectors @ query, 100), ivf.search(query, 200, N // 8)).mean()
        for query in queries(vectors)
    ]
    assert np.mean(shares) >= 0.95


def test_a_look_at_all_is_exact(vectors: Float32, ivf: IVFIndex) -> None:
    for query in queries(vectors)[:5]:
        assert set(ivf.search(query, 100, N).tolist()) == set(exact(vectors @ query, 100).tolist())
        assert len(ivf.search(query, 2 * N, N)) == N


def test_a_prior_lifts_rows_and_leads_to_their_cells(vectors: Float32, ivf: IVFIndex) -> None:
    bias = np.zeros(N, dtype=np.float32)
    cell = slice(int(ivf.ptr[3]), int(ivf.ptr[4]))
    bias[ivf.row[cell]] = 1_000.0
    query = queries(vectors)[0]
    found = ivf.search(query, cell.stop - cell.start, 10, ivf.item_bias(bias))
    assert set(found.tolist()) == set(ivf.row[cell].tolist())


def test_rows_that_are_left_out_are_never_found(vectors: Float32) -> None:
    some = np.arange(0, N, 3)
    part = IVFIndex.fit(vectors, some)
    assert set(part.search(queries(vectors)[0], 500, 2_000).tolist()) <= set(some.tolist())
    assert len(part.row) == len(some)


def test_the_total_is_known_from_the_centres(vectors: Float32, ivf: IVFIndex) -> None:
    for query in 0.3 * queries(vectors)[:10]:
        products = (vectors @ query).astype(np.float64)
        true = products.max() + np.log(np.exp(products - products.max()).sum())
        assert ivf.log_partition(query) == pytest.approx(true, abs=1.5)


def test_one_seed_gives_one_index_and_it_is_opened_as_saved(
    vectors: Float32, ivf: IVFIndex, tmp_path: Path
) -> None:
    again = IVFIndex.fit(vectors, np.arange(N))
    again.save(tmp_path, "it")
    opened = IVFIndex.load(tmp_path, "it")
    assert opened is not None
    for part in ("centre", "spread", "ptr", "row", "vectors"):
        assert np.array_equal(getattr(opened, part), getattr(ivf, part))
    assert opened.nbytes == ivf.nbytes >= N * (D * 4 + 4)
    assert IVFIndex.load(tmp_path, "other") is None


def test_equal_vectors_and_few_of_them_are_no_trouble() -> None:
    alike = np.ones((50, 4), dtype=np.float32)
    assert len(IVFIndex.fit(alike, np.arange(50)).search(alike[0], 10, 5)) == 10
    one = IVFIndex.fit(alike, np.array([7]))
    assert one.search(alike[0], 10, 5).tolist() == [7]
