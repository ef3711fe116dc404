"""The inverted file finds nearly all of the largest products, whatever the lengths of the vectors."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.algorithms.cells import Cells, memory_needed
from openpersonalize.algorithms.companion import Float32, Int64

N, D, TOPICS = 20_000, 16, 200


@pytest.fixture(scope="module")
def vectors() -> Float32:
    """Topics, with items of any length around them."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((TOPICS, D), dtype=np.float32)[rng.integers(0, TOPICS, N)]
    items += 0.4 * rng.standard_normal((N, D), dtype=np.float32)
    return items * rng.uniform(0.3, 1.5, (N, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def cells(vectors: Float32) -> Cells:
    return Cells.fit(vectors, np.arange(N))


def queries(vectors: Float32) -> Float32:
    rng = np.random.default_rng(1)
    mixed = vectors[rng.integers(0, N, 50)] + 0.5 * vectors[rng.integers(0, N, 50)]
    return np.asarray(mixed, dtype=np.float32)


def exact(products: Float32, k: int) -> Int64:
    return np.argsort(-products)[:k]


def test_every_row_is_in_one_cell(vectors: Float32, cells: Cells) -> None:
    assert sorted(cells.row.tolist()) == list(range(N))
    assert np.array_equal(cells.vectors, vectors[cells.row])
    assert (np.diff(cells.ptr) > 0).all()
    assert cells.ptr[0] == 0
    assert cells.ptr[-1] == N
    assert 64 <= len(cells.centre) <= 256


def test_making_it_takes_what_is_said() -> None:
    n, d = 200_000, 32
    vectors = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    rows = np.arange(n)
    tracemalloc.start()
    Cells.fit(vectors, rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory_needed(n, d) == pytest.approx(peak, rel=0.25)


def test_most_of_the_best_hundred_are_found_among_an_eighth(vectors: Float32, cells: Cells) -> None:
    shares = [
        np.isin(exact(vectors @ query, 100), cells.best(query, 200, N // 8)).mean()
        for query in queries(vectors)
    ]
    assert np.mean(shares) >= 0.95


def test_a_look_at_all_is_exact(vectors: Float32, cells: Cells) -> None:
    for query in queries(vectors)[:5]:
        assert set(cells.best(query, 100, N).tolist()) == set(exact(vectors @ query, 100).tolist())
        assert len(cells.best(query, 2 * N, N)) == N


def test_a_prior_lifts_rows_and_leads_to_their_cells(vectors: Float32, cells: Cells) -> None:
    prior = np.zeros(N, dtype=np.float32)
    cell = slice(int(cells.ptr[3]), int(cells.ptr[4]))
    prior[cells.row[cell]] = 1_000.0
    query = queries(vectors)[0]
    found = cells.best(query, cell.stop - cell.start, 10, cells.prior(prior))
    assert set(found.tolist()) == set(cells.row[cell].tolist())


def test_rows_that_are_left_out_are_never_found(vectors: Float32) -> None:
    some = np.arange(0, N, 3)
    part = Cells.fit(vectors, some)
    assert set(part.best(queries(vectors)[0], 500, 2_000).tolist()) <= set(some.tolist())
    assert len(part.row) == len(some)


def test_the_total_is_known_from_the_centres(vectors: Float32, cells: Cells) -> None:
    for query in 0.3 * queries(vectors)[:10]:
        products = (vectors @ query).astype(np.float64)
        true = products.max() + np.log(np.exp(products - products.max()).sum())
        assert cells.log_total(query) == pytest.approx(true, abs=1.5)


def test_one_seed_gives_one_index_and_it_is_opened_as_saved(
    vectors: Float32, cells: Cells, tmp_path: Path
) -> None:
    again = Cells.fit(vectors, np.arange(N))
    again.save(tmp_path, "it")
    opened = Cells.load(tmp_path, "it")
    assert opened is not None
    for part in ("centre", "spread", "ptr", "row", "vectors"):
        assert np.array_equal(getattr(opened, part), getattr(cells, part))
    assert opened.nbytes == cells.nbytes >= N * (D * 4 + 4)
    assert Cells.load(tmp_path, "other") is None


def test_equal_vectors_and_few_of_them_are_no_trouble() -> None:
    alike = np.ones((50, 4), dtype=np.float32)
    assert len(Cells.fit(alike, np.arange(50)).best(alike[0], 10, 5)) == 10
    one = Cells.fit(alike, np.array([7]))
    assert one.best(alike[0], 10, 5).tolist() == [7]
