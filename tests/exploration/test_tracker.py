"""What exploration may choose from, as streamed events and records change it."""

import numpy as np
import pytest

from openpersonalize.exploration.checkpoint import CheckpointStore
from openpersonalize.exploration.tracker import ExposureTracker
from openpersonalize.storage.objects import open_objects
from serving.making import CATALOGUE, COLD, NOW, Made, handed


@pytest.fixture
def one(tmp_path):
    made = Made(tmp_path, ages={COLD[0]: 1})
    try:
        yield made
    finally:
        made.close()


def renewed(one):
    one.advance()
    return one.tracker.counts


def seen(candidates, one, item):
    """How often an item was met or passed over, by its scale."""
    number = one.loaded.row_of(item)
    if number is None:
        number = len(one.loaded.names) + candidates.members.number_of(item)
    return round(float(candidates.scale[number]) ** -2 - 1)


def newcomers(candidates):
    return list(candidates.members.ids)


def test_nothing_changes_when_nothing_came(one):
    before = renewed(one)
    assert one.tracker.counts is before
    assert renewed(one) is before
    assert newcomers(before) == []


def test_items_shown_and_not_chosen_count_the_chosen_one_as_met(one):
    before = renewed(one)
    one.event("u", COLD[0], impression="|".join([COLD[0], COLD[1], "item-00", "unknown"]))
    after = renewed(one)
    grown = {item: seen(after, one, item) - seen(before, one, item) for item in [*CATALOGUE, *COLD]}
    assert {item for item, more in grown.items() if more} == {COLD[0], COLD[1], "item-00"}
    assert set(grown.values()) == {0, 1}
    assert newcomers(after) == []


def test_what_was_shown_is_looked_up_and_an_explicit_list_wins(one):
    one.recommendations.add("RID-1", "arn", ["item-00", "item-01"], "u")
    one.recommendations.add("RID-2", "arn", ["item-02", "item-03"], "u")
    before = renewed(one)
    one.event("u", "item-00", recommendation_id="RID-1")
    one.recommendations.flush()
    one.event("v", "item-04", recommendation_id="RID-2", impression="item-05|item-04")
    one.event("w", "item-06", recommendation_id="RID-3")
    after = renewed(one)
    grown = [item for item in CATALOGUE if seen(after, one, item) > seen(before, one, item)]
    assert grown == ["item-00", "item-01", "item-04", "item-05", "item-06"]


def test_put_items_and_items_of_events_join(one):
    first = NOW - 100 * 86_400
    one.put_item("put", PRICE=3.0)
    one.put_item("dated", CREATION_TIMESTAMP=first + 5)
    one.event("u", "met", time=first)
    one.event("v", "met", time=first + 10)
    one.event("v", "put")
    after = renewed(one)
    assert newcomers(after) == ["dated", "met", "put"]
    n = len(one.loaded.names)
    assert after.members.created[n:].tolist() == [first + 5, first, NOW]
    assert [seen(after, one, item) for item in ("dated", "met", "put")] == [0, 2, 1]
    assert after.members.columns.text_at("PRICE", 2) == "3"


def test_a_newcomer_that_changes_keeps_its_place(one):
    one.put_item("put", PRICE=3.0)
    renewed(one)
    one.put_item("put", PRICE=4.0)
    after = renewed(one)
    assert newcomers(after) == ["put"]
    assert after.members.columns.text_at("PRICE", 0) == "4"


def test_eligible_are_those_within_the_cut_off(one):
    one.put_item("put")
    members = renewed(one).members
    rows = members.eligible(30.0)
    n = len(one.loaded.names)
    assert [one.loaded.names[row] if row < n else members.name(row) for row in rows] == [COLD[0], "put"]
    assert members.eligible(0.5).tolist() == [n]


def test_updates_end_where_a_newer_version_began(one):
    one.put_item("early")
    one.tracker.until = one.log.position()
    one.put_item("late")
    one.event("u", "later", impression=COLD[0])
    after = renewed(one)
    assert newcomers(after) == ["early"]
    assert seen(after, one, COLD[0]) == 0


def tracker(one, **more):
    more = {"embed": lambda records: None, "shown": None, "now": lambda: one.time, **more}
    return ExposureTracker(one.loaded.artifact, one.items, **more)


def test_newcomers_are_considered_up_to_a_number(one):
    few = tracker(one, most=len(one.loaded.names) + 2)
    for number in range(5):
        one.put_item(f"put-{number}", CREATION_TIMESTAMP=NOW - (5 - number) * 3600)
    one.deployment.follow()
    handed(one.log, few)
    assert newcomers(few.counts) == ["put-3", "put-4"]
    assert len(newcomers(renewed(one))) == 5


def test_repeated_event_ids_count_once(one):
    for user in ("u", "v"):
        one.event(user, COLD[0], event_id="same")
    assert seen(renewed(one), one, COLD[0]) == 1


def test_a_later_start_reads_only_what_was_not_kept(one):
    store = CheckpointStore(open_objects(one.settings), one.settings.data, "artifacts/trained", "exposure")

    def started(until=None):
        made = tracker(one, shown=one.recommendations.shown, until=until, store=store, kept_after=3)
        began = made.position
        handed(one.log, made)
        return made.counts, began

    def known(counts):
        return newcomers(counts), counts.scale.tolist(), counts.members.created.tolist()

    one.event("u", COLD[0], impression=f"{COLD[1]}|new")
    one.event("u", "new", time=NOW - 5)
    early = one.log.position()
    assert started()[1] == 0
    assert store.load(lambda folder, position: position) is None  # too little to be worth it
    for number in range(3):
        one.event("u", "new", time=NOW + number)
    first, began = started()
    assert began == 0
    assert store.load(lambda folder, position: position) == one.log.position()
    one.event("v", COLD[1])
    one.event("v", "newer")
    again, began = started()
    assert began == store.load(lambda folder, position: position)
    assert known(again) != known(first)
    assert known(again) == known(renewed(one))  # which counted everything
    assert seen(again, one, COLD[1]) == seen(renewed(one), one, COLD[1]) == 2
    # Updates that ended before what was kept: counted again from the training on.
    counts, began = started(until=early)
    assert newcomers(counts) == ["new"]
    assert began == 0


def test_counts_that_cannot_be_kept_cost_nothing_but_time(one, monkeypatch, caplog):
    objects = open_objects(one.settings)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(objects, "stage", full)
    made = tracker(
        one, store=CheckpointStore(objects, one.settings.data, "artifacts/trained", "exposure"), kept_after=1
    )
    one.event("u", COLD[0])
    handed(one.log, made)
    assert seen(made.counts, one, COLD[0]) == 1
    assert "No space left" in caplog.text


def test_a_look_up_that_fails_counts_nothing_twice(one):
    """Events handed over again after a failure count once."""
    looked_up = []

    def shown(ids):
        looked_up.append(len(ids))
        if len(looked_up) == 1:
            raise OSError("the disk is away")
        return one.recommendations.shown(ids)

    made = tracker(one, shown=shown)
    before = seen(made.counts, one, COLD[0])
    one.event("u", COLD[0], recommendation_id="RID-1")
    with pytest.raises(OSError, match="away"):
        handed(one.log, made)
    handed(one.log, made)
    assert seen(made.counts, one, COLD[0]) == before + 1


def test_counts_are_shown_once_a_period(one):
    made = tracker(one, refresh_seconds=60)
    handed(one.log, made)
    one.event("u", COLD[0])
    handed(one.log, made)
    assert seen(made.counts, one, COLD[0]) == 0
    one.time += 60
    handed(one.log, made)
    assert seen(made.counts, one, COLD[0]) == 1


def test_the_scale_is_the_root_of_what_was_seen(one):
    exposure = one.loaded.artifact.exposure
    assert np.allclose(one.tracker.counts.scale, 1 / np.sqrt(1 + exposure.interactions))


def test_newcomers_of_the_time_between_go_when_updates_end(one):
    one.put_item("early")
    ended = one.log.position()
    one.put_item("between")
    assert newcomers(renewed(one)) == ["between", "early"]
    one.tracker.until = ended
    assert newcomers(renewed(one)) == ["early"]


def test_a_recipe_without_automatic_updates_gets_no_newcomers(tmp_path):
    one = Made(tmp_path, ages={COLD[0]: 1})
    still = tracker(one, grows=False)
    one.put_item("put")
    one.event("u", COLD[0], impression=COLD[1])
    one.deployment.follow()
    handed(one.log, still)
    assert list(still.counts.members.ids) == []
    assert seen(still.counts, one, COLD[0]) == 1
    assert seen(still.counts, one, COLD[1]) == 0
    one.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [("since.npy", b""), ("format.json", b"{"), ("format.json", b"0"), ("unlisted.parquet", b"PAR1")],
)
def test_a_checkpoint_that_cannot_be_read_is_counted_again(one, caplog, name, content):
    objects = open_objects(one.settings)
    store = CheckpointStore(objects, one.settings.data, "artifacts/trained", "exposure")

    def started():
        made = tracker(one, store=store, kept_after=1)
        handed(one.log, made)
        return made.counts

    one.event("u", COLD[0])
    started()
    broken = store.load(lambda folder, position: folder) / name
    broken.chmod(0o644)
    broken.write_bytes(content)
    assert seen(started(), one, COLD[0]) == 1
    assert "counted again" in caplog.text
