"""What every metadata store must do: inherit `MetadataStoreContract`; fixtures `store` and `reopen`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from openpersonalize.errors import (
    InvalidInput,
    ResourceAlreadyExists,
    ResourceNotFound,
    TooManyTags,
)
from openpersonalize.resources.internals import CampaignInternal
from openpersonalize.resources.jobrows import JobState
from openpersonalize.resources.store import MetadataStore, Resource, Scope, Transaction
from openpersonalize.resources.tables import runners


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


def add_schema(tx: Transaction, scope: Scope, name: str, **more: Any) -> Resource:
    return tx.add("schema", scope.arn(f"schema/{name}"), name, **more)


def names(resources: list[Resource]) -> list[str]:
    return [resource.name for resource in resources]


class MetadataStoreContract:
    """The suite. `store` is opened with the fixture `clock`; `reopen` opens the same store once more."""

    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock()

    @pytest.fixture
    def scope(self, store: MetadataStore) -> Scope:
        return store.scope("000000000000", "us-east-1")

    # Rows.

    def test_a_resource_is_read_as_it_was_added(self, scope: Scope, clock: SetClock) -> None:
        clock.time = 1_700_000_000.1234
        arn = scope.arn("campaign/films")
        attributes = {
            "campaignConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
            "é": [1, None],
        }
        with scope.write() as tx:
            tx.add(
                "campaign",
                arn,
                "films",
                group_arn="g",
                parent_arn="p",
                status="CREATE PENDING",
                attributes=attributes,
                internal={"latest": False},
            )
        with scope.read() as tx:
            found = tx.require(arn, "campaign")
        assert found == Resource(
            "campaign",
            arn,
            "films",
            "g",
            "p",
            "CREATE PENDING",
            1_700_000_000.123,
            1_700_000_000.123,
            attributes,
            CampaignInternal(),
        )
        described = found.described("campaignArn")
        assert described["campaignArn"] == arn
        assert described["creationDateTime"] == described["lastUpdatedDateTime"] == 1_700_000_000.123
        assert described["campaignConfig"] == attributes["campaignConfig"]
        assert "latest" not in described

    def test_an_arn_is_taken_once(self, scope: Scope) -> None:
        with scope.write() as tx:
            arn = add_schema(tx, scope, "a").arn
        with scope.write() as tx, pytest.raises(ResourceAlreadyExists) as error:
            add_schema(tx, scope, "a")
        assert error.value.message == f"Another resource with Arn {arn} already exists."

    def test_what_does_not_exist_here_is_not_found(self, store: MetadataStore, scope: Scope) -> None:
        with scope.write() as tx:
            arn = add_schema(tx, scope, "a").arn
        with scope.read() as tx:
            assert tx.get(scope.arn("schema/b")) is None
            assert tx.get(arn, "campaign") is None
            with pytest.raises(ResourceNotFound) as error:
                tx.require(scope.arn("schema/b"), "schema")
        assert error.value.message == f"Resource Arn {scope.arn('schema/b')} does not exist."
        for other in (store.scope("000000000000", "eu-west-1"), store.scope("111111111111", "us-east-1")):
            with other.write() as tx:
                assert tx.get(arn) is None
                assert tx.find("schema") == [] == tx.page("schema")
                assert tx.count("schema") == 0
                tx.remove(arn)
                with pytest.raises(ResourceNotFound):
                    tx.update(arn, set={"stolen": True})
                with pytest.raises(ResourceNotFound):
                    tx.tags(arn)
        with scope.read() as tx:
            assert tx.require(arn).attributes == {}

    @pytest.mark.parametrize("arn", ["", "é", "\ud800", "a\0b", "'; DROP TABLE resources; --"])
    def test_any_text_may_be_looked_up(self, scope: Scope, arn: str) -> None:
        with scope.write() as tx:
            assert tx.get(arn) is None
            assert tx.job(arn) is None
            assert tx.get(scope.arn(f"schema/{arn}")) is None

    def test_scopes_are_those_that_hold_something(self, store: MetadataStore) -> None:
        assert store.scopes() == []
        for account, region in (("000000000002", "eu-west-1"), ("000000000001", "cn-north-1")):
            scope = store.scope(account, region)
            with scope.write() as tx:
                add_schema(tx, scope, "a")
        found = [(scope.account, scope.region, scope.partition) for scope in store.scopes()]
        assert found == [("000000000001", "cn-north-1", "aws-cn"), ("000000000002", "eu-west-1", "aws")]

    def test_update_merges_and_touches(self, scope: Scope, clock: SetClock) -> None:
        with scope.write() as tx:
            arn = scope.arn("campaign/a")
            tx.add(
                "campaign",
                arn,
                "a",
                status="CREATE PENDING",
                attributes={"x": 1, "y": 2},
                internal={"latest": True, "latest_asked": True},
            )
            clock.time += 5
        with scope.write() as tx:
            changed = tx.update(
                arn,
                status="ACTIVE",
                set={"y": 3, "z": 4},
                unset=("x", "absent"),
                internal={"latest": None, "latest_asked": False},
                parent_arn="p",
            )
        assert changed.attributes == {"y": 3, "z": 4}
        assert changed.internal == CampaignInternal()
        assert (changed.status, changed.parent_arn) == ("ACTIVE", "p")
        assert changed.updated_at == changed.created_at + 5
        clock.time += 5
        with scope.write() as tx:
            quiet = tx.update(changed, internal={"latest": True}, touch=False)
        assert quiet.updated_at == changed.updated_at
        with scope.read() as tx:
            assert tx.require(arn) == quiet
        assert CampaignInternal.of(quiet).latest

    @pytest.mark.parametrize("wrong", [{"no_such": 1}, {"latest": "yes"}])
    def test_what_the_record_of_a_kind_does_not_have_is_refused(
        self, scope: Scope, wrong: dict[str, Any]
    ) -> None:
        with scope.write() as tx:
            arn = tx.add("campaign", scope.arn("campaign/a"), "a").arn
        with pytest.raises((TypeError, msgspec.ValidationError)), scope.write() as tx:
            tx.update(arn, internal=wrong)
        with pytest.raises((TypeError, msgspec.ValidationError)), scope.write() as tx:
            tx.add("campaign", scope.arn("campaign/b"), "b", internal=wrong)

    def test_states_never_move_backwards(self, scope: Scope) -> None:
        with scope.write() as tx:
            tx.add("solution", scope.arn("solution/s"), "s", status="ACTIVE")
        for impossible in ("CREATE PENDING", "CREATE IN_PROGRESS", "COMPLETED", "NONSENSE", None):
            with scope.write() as tx, pytest.raises(AssertionError):
                tx.update(scope.arn("solution/s"), status=impossible)
        with scope.write() as tx, pytest.raises(AssertionError):
            tx.add("solution", scope.arn("solution/t"), "t", status="INACTIVE")

    def test_removing_takes_the_row_its_tags_and_its_waiting_jobs(self, scope: Scope) -> None:
        with scope.write() as tx:
            arn = scope.arn("filter/f")
            tx.add("filter", arn, "f", status="ACTIVE", tags=[{"tagKey": "a", "tagValue": "1"}])
            tx.enqueue("delete-filter", arn, {})
            tx.remove(arn)
            tx.remove(arn)
            job = tx.job(arn)
            assert tx.get(arn) is None
            tx.add("filter", arn, "f", status="ACTIVE")
            assert tx.tags(arn) == []
        assert job is not None
        assert job.state is JobState.CANCELLED

    # Transactions.

    def test_an_exception_undoes_everything(self, scope: Scope) -> None:
        heard: list[int] = []
        with pytest.raises(KeyError), scope.write() as tx:
            arn = add_schema(tx, scope, "a").arn
            tx.enqueue("k", arn, {})
            raise KeyError
        with scope.read() as tx:
            assert tx.get(arn) is None
            assert tx.job(arn) is None
        assert heard == []

    def test_a_reader_sees_one_state(self, scope: Scope) -> None:
        with scope.read() as before:
            assert before.count("schema") == 0
            with scope.write() as tx:
                add_schema(tx, scope, "a")
            assert before.count("schema") == 0
        with scope.read() as after:
            assert after.count("schema") == 1

    def test_a_reader_cannot_write(self, scope: Scope) -> None:
        with scope.read() as tx, pytest.raises(AssertionError):
            add_schema(tx, scope, "a")

    def test_a_thread_that_writes_twice_at_once_is_told(self, scope: Scope) -> None:
        with scope.write(), pytest.raises(AssertionError), scope.write():
            pass

    def test_writers_come_one_after_the_other(self, scope: Scope) -> None:
        with scope.write() as tx:
            arn = scope.arn("campaign/counter")
            tx.add("campaign", arn, "counter", status="ACTIVE", attributes={"n": 0})

        def work(_: int) -> None:
            for _ in range(10):
                with scope.write() as tx:
                    tx.update(arn, set={"n": tx.require(arn).attributes["n"] + 1})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        with scope.read() as tx:
            assert tx.require(arn).attributes == {"n": 80}

    def test_readers_are_not_blocked_by_a_writer(self, scope: Scope) -> None:
        read = threading.Event()

        def look() -> None:
            with scope.read() as tx:
                tx.count("schema")
            read.set()

        with scope.write() as tx:
            add_schema(tx, scope, "a")
            threading.Thread(target=look).start()
            assert read.wait(10)

    def test_blocks_with_one_lock_never_run_at_once(self, reopen: Callable[[], MetadataStore]) -> None:
        """What one has read and counted holds until it has written."""
        stores = [reopen() for _ in range(3)]
        start = threading.Barrier(len(stores))

        def count_up(store: MetadataStore) -> None:
            start.wait()
            for _ in range(20):
                with store.writing("counting", durable=False) as connection:
                    seen = int(connection.scalar(sa.select(sa.func.count()).select_from(runners)) or 0)
                    values = {"name": str(seen), "hosts": "", "folder": "", "seen_at": store.time()}
                    connection.execute(sa.insert(runners).values(values))  # a name twice is refused

        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(count_up, stores))
        with stores[0].reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(runners)) == 60

    def test_what_a_block_wrote_that_is_not_durable_is_seen_by_others(
        self, store: MetadataStore, reopen: Callable[[], MetadataStore]
    ) -> None:
        with store.writing("any", durable=False) as connection:
            values = {"name": "one", "hosts": "", "folder": "", "seen_at": store.time()}
            connection.execute(sa.insert(runners).values(values))
        with pytest.raises(KeyError), store.writing("any", durable=False) as connection:
            connection.execute(sa.delete(runners))
            raise KeyError
        with reopen().reading() as connection:
            assert connection.scalars(sa.select(runners.c.name)).all() == ["one"]

    def test_the_stores_time_goes_on(self, store: MetadataStore) -> None:
        times = []
        for _ in range(3):
            with store.reading() as connection:
                times.append(int(connection.scalar(sa.select(store.time())) or 0))
            time.sleep(0.01)
        assert times == sorted(set(times))
        assert abs(times[0] / 1000 - time.time()) < 60

    # What changed.

    def test_each_change_of_resources_makes_another_version(
        self, store: MetadataStore, scope: Scope, reopen: Callable[[], MetadataStore]
    ) -> None:
        other = reopen()
        arn = scope.arn("schema/a")
        changes: list[Callable[[Transaction], Any]] = [
            lambda tx: add_schema(tx, scope, "a"),
            lambda tx: tx.update(arn, set={"n": 1}),
            lambda tx: tx.update(arn, set={"n": 2}, touch=False),
            lambda tx: tx.set_tags(arn, [{"tagKey": "k", "tagValue": "v"}]),
            lambda tx: tx.remove_tags(arn, ["k"]),
            lambda tx: tx.remove(arn),
        ]
        versions = [store.resources_version()]
        for change in changes:
            with scope.write() as tx:
                change(tx)
            versions.append(store.resources_version())
            assert other.resources_version() == versions[-1]  # at once, wherever it was written
        assert len(set(versions)) == len(changes) + 1

    def test_what_changes_no_resource_keeps_the_version(self, store: MetadataStore, scope: Scope) -> None:
        with scope.write() as tx:
            add_schema(tx, scope, "a")
        before = store.resources_version()
        with scope.read() as tx:
            tx.count("schema")
        with scope.write() as tx:
            tx.count("schema")
        with pytest.raises(KeyError), scope.write() as tx:
            add_schema(tx, scope, "b")
            raise KeyError
        with scope.write() as tx:
            tx.enqueue("toy", scope.arn("schema/a"), {})
        with scope.write() as tx:
            tx.request_cancel(scope.arn("schema/a"))
        assert store.resources_version() == before

    def test_jobs_have_a_version_of_their_own(
        self, store: MetadataStore, scope: Scope, reopen: Callable[[], MetadataStore]
    ) -> None:
        other = reopen()
        before = store.jobs_version()
        with scope.write() as tx:
            add_schema(tx, scope, "a")
        assert store.jobs_version() == before
        with scope.write() as tx:
            tx.enqueue("toy", scope.arn("schema/a"), {})
        enqueued = store.jobs_version()
        assert other.jobs_version() == enqueued != before
        with scope.write() as tx:
            tx.request_cancel(scope.arn("schema/a"))
        assert other.jobs_version() != enqueued

    def test_the_version_holds_until_the_store_is_opened_again(
        self, store: MetadataStore, scope: Scope, reopen: Callable[[], MetadataStore]
    ) -> None:
        with scope.write() as tx:
            add_schema(tx, scope, "a")
        before = store.resources_version()
        assert reopen().resources_version() == before

    # Listing.

    def test_pages_follow_creation_also_within_a_millisecond(self, scope: Scope) -> None:
        expected = [f"{n % 7}-{n}" for n in range(23)]
        with scope.write() as tx:
            for name in expected:
                add_schema(tx, scope, name)
        assert self.paged(scope, 4) == expected
        assert self.paged(scope, 4, newest_first=True) == expected[::-1]
        assert self.paged(scope, 100) == expected

    def test_entries_that_come_meanwhile_repeat_nothing(self, scope: Scope) -> None:
        with scope.write() as tx:
            for n in range(4):
                add_schema(tx, scope, f"old{n}")
        with scope.write() as tx:
            first = tx.page("schema", limit=2)
            add_schema(tx, scope, "new")
            tx.remove(first[-1].arn)
            rest = tx.page("schema", after=first[-1].position, limit=10)
        assert names(rest) == ["old2", "old3", "new"]

    def test_a_clock_that_steps_back_keeps_the_order(self, scope: Scope, clock: SetClock) -> None:
        with scope.write() as tx:
            add_schema(tx, scope, "z")
        clock.time -= 1.5
        with scope.write() as tx:
            add_schema(tx, scope, "a")
        assert self.paged(scope, 1) == ["z", "a"]

    def test_listings_are_narrowed(self, scope: Scope) -> None:
        with scope.write() as tx:
            for n in range(6):
                status = ("ACTIVE", "CREATE FAILED", "CREATE PENDING")[n % 3]
                tx.add(
                    "solution-version",
                    scope.arn(f"solution/s/{n}"),
                    str(n),
                    group_arn=f"g{n % 2}",
                    parent_arn=f"p{n // 3}",
                    status=status,
                )
            add_schema(tx, scope, "a", group_arn="g0")
            kind = "solution-version"
            assert names(tx.find(kind, group_arn="g1")) == ["1", "3", "5"]
            assert names(tx.find(kind, parent_arn="p0", statuses=["ACTIVE", "CREATE PENDING"])) == ["0", "2"]
            assert names(tx.page(kind, group_arn="g0", parent_arn="p1")) == ["4"]
            assert tx.count(kind) == 6
            assert tx.count(kind, statuses=["ACTIVE"]) == 2
            assert tx.count(kind, group_arn="g0", not_statuses=["ACTIVE"]) == 2
            assert tx.count("schema", not_statuses=["ACTIVE"]) == 1
            assert tx.count(kind, statuses=[]) == 0

    @staticmethod
    def paged(scope: Scope, limit: int, **order: Any) -> list[str]:
        found: list[str] = []
        after = None
        with scope.read() as tx:
            while page := tx.page("schema", after=after, limit=limit, **order):
                assert len(page) <= limit
                found += names(page)
                after = page[-1].position
        return found

    # Tags.

    def test_tags_keep_their_order_and_change_their_values(self, scope: Scope) -> None:
        with scope.write() as tx:
            arn = add_schema(tx, scope, "a", tags=[tag("b", "1"), tag("a", "2")]).arn
            tx.set_tags(arn, [tag("A", "3"), tag("b", "4")])
            assert tx.tags(arn) == [tag("b", "4"), tag("a", "2"), tag("A", "3")]
            tx.remove_tags(arn, ["b", "absent"])
            tx.set_tags(arn, [tag("b", "5")])
        with scope.read() as tx:
            assert tx.tags(arn) == [tag("a", "2"), tag("A", "3"), tag("b", "5")]

    @pytest.mark.parametrize(
        ("tags", "error"),
        [
            ([("aws:x", "")], InvalidInput),
            ([("AwS:x", "")], InvalidInput),
            ([("x", "1"), ("x", "2")], InvalidInput),
            ([(f"k{n}", "") for n in range(51)], TooManyTags),
        ],
    )
    def test_wrong_tags_change_nothing(
        self, scope: Scope, tags: list[tuple[str, str]], error: type[Exception]
    ) -> None:
        given = [tag(key, value) for key, value in tags]
        with pytest.raises(error), scope.write() as tx:
            add_schema(tx, scope, "new", tags=given)
        with scope.write() as tx:
            arn = add_schema(tx, scope, "old", tags=[tag("kept", "1")]).arn
            assert tx.get(scope.arn("schema/new")) is None
        with pytest.raises(error), scope.write() as tx:
            tx.set_tags(arn, given)
        with scope.read() as tx:
            assert tx.tags(arn) == [tag("kept", "1")]

    def test_fifty_tags_count_those_that_exist(self, scope: Scope) -> None:
        with scope.write() as tx:
            arn = add_schema(tx, scope, "a", tags=[tag(f"k{n}", "") for n in range(50)]).arn
            tx.set_tags(arn, [tag("k49", "changed")])
            with pytest.raises(TooManyTags):
                tx.set_tags(arn, [tag("k50", "")])

    # Jobs.

    def test_a_job_comes_with_its_transaction(self, store: MetadataStore, scope: Scope) -> None:
        heard: list[str] = []
        store.on_jobs_changed(lambda: heard.append("job"))
        arn = scope.arn("campaign/a")
        with scope.write() as tx:
            first = tx.enqueue("deploy", arn, {"n": 1}, queue="q", not_before=1_700_000_100.5)
            second = tx.enqueue("update", arn, {"n": 2})
            assert heard == []
        assert heard == ["job"]
        with scope.write() as tx:
            job = tx.job(arn)
            assert tx.job(scope.arn("campaign/b")) is None
            add_schema(tx, scope, "a")
        assert heard == ["job"]
        assert job is not None
        assert (job.id, job.kind, job.payload, job.state) == (second, "update", {"n": 2}, JobState.QUEUED)
        assert first != second
        with store.scope("111111111111", "us-east-1").read() as tx:
            assert tx.job(arn) is None

    def test_a_waiting_job_is_cancelled_at_once(self, scope: Scope) -> None:
        arn = scope.arn("campaign/a")
        with scope.write() as tx:
            assert not tx.request_cancel(arn)
            tx.enqueue("deploy", arn, {})
            assert tx.request_cancel(arn)
            assert not tx.request_cancel(arn)
            job = tx.job(arn)
        assert job is not None
        assert job.state is JobState.CANCELLED

    # Durability.

    def test_everything_is_there_after_opening_again(
        self, store: MetadataStore, scope: Scope, reopen: Callable[[], MetadataStore]
    ) -> None:
        with scope.write() as tx:
            kept = add_schema(tx, scope, "a", attributes={"schema": "{}"}, tags=[tag("k", "v")])
            tx.enqueue("deploy", kept.arn, {"n": 1})
            job = tx.job(kept.arn)
        again = reopen().scope(scope.account, scope.region)
        with again.read() as tx:
            assert tx.require(kept.arn) == kept
            assert tx.tags(kept.arn) == [tag("k", "v")]
            assert tx.job(kept.arn) == job


def tag(key: str, value: str) -> dict[str, str]:
    return {"tagKey": key, "tagValue": value}
