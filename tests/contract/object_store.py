"""What every object store must do: inherit `ObjectStoreContract`; fixtures `store` and `reopen`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openpersonalize.storage.objects import ObjectStore


def fill(folder: Path, content: str = "content") -> Path:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "manifest.json").write_text(content)
    (folder / "deep" / "er" / "part.parquet").write_text(content * 100)
    return folder


def content_of(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


class ObjectStoreContract:
    """The suite. `reopen` opens the same store once more, as another process would."""

    def test_what_is_published_is_there(self, store: ObjectStore, reopen: Callable[[], ObjectStore]) -> None:
        staged = fill(store.stage())
        expected = content_of(staged)
        assert not store.exists("snapshots/a")
        store.publish(staged, "snapshots/a")
        for seen in (store, reopen()):
            assert seen.exists("snapshots/a")
            assert content_of(seen.fetch("snapshots/a")) == expected
        assert not store.exists("artifacts/a")

    def test_what_is_staged_is_nowhere_yet(self, store: ObjectStore) -> None:
        one, other = store.stage(), store.stage()
        assert one != other
        fill(one)
        assert list(other.iterdir()) == []
        with pytest.raises(FileNotFoundError):
            store.fetch("snapshots/a")

    def test_the_first_to_publish_a_key_stays(self, store: ObjectStore) -> None:
        store.publish(fill(store.stage(), "first"), "snapshots/a")
        store.publish(fill(store.stage(), "second"), "snapshots/a")
        assert (store.fetch("snapshots/a") / "manifest.json").read_text() == "first"

    def test_many_may_publish_one_key_at_once(self, store: ObjectStore) -> None:
        def publish(n: int) -> None:
            store.publish(fill(store.stage(), str(n)), "artifacts/a")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(publish, range(24)))
        whole = content_of(store.fetch("artifacts/a"))
        assert len(whole) == 2
        assert whole["deep/er/part.parquet"] == whole["manifest.json"] * 100

    def test_removing_takes_all_and_frees_the_key(self, store: ObjectStore) -> None:
        store.remove("snapshots/a")
        store.publish(fill(store.stage(), "old"), "snapshots/a")
        store.remove("snapshots/a")
        store.remove("snapshots/a")
        assert not store.exists("snapshots/a")
        with pytest.raises(FileNotFoundError):
            store.fetch("snapshots/a")
        store.publish(fill(store.stage(), "new"), "snapshots/a")
        assert (store.fetch("snapshots/a") / "manifest.json").read_text() == "new"

    def test_a_sweep_spares_what_the_living_fill(
        self, store: ObjectStore, reopen: Callable[[], ObjectStore]
    ) -> None:
        staged = fill(store.stage())
        store.publish(fill(store.stage()), "snapshots/kept")
        store.sweep()
        reopen().sweep()
        store.publish(staged, "snapshots/a")
        assert store.exists("snapshots/a")
        assert store.exists("snapshots/kept")

    @pytest.mark.parametrize(
        "key",
        ["", "a", "/a/b", "a/", "a//b", "../a", "a/..", "a/../b", "a/.b", "a\\b/c", "C:/a", "a/b\0c", "a/ü"],
    )
    def test_only_plain_keys(self, store: ObjectStore, key: str) -> None:
        for use in (store.fetch, store.exists, store.remove, lambda key: store.publish(store.stage(), key)):
            with pytest.raises(ValueError, match="not a key"):
                use(key)
