"""What the Users dataset says is found by id."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from openpersonalize.datasets.profiles import Profiles

RECORDS = pl.DataFrame(
    {
        "USER_ID": ["b", "a", "c"],
        "TOWN": ["Oslo", None, "Lyon|Rome"],
        "AGE": [30, 40, None],
        "NOTE": ["x"] * 3,
    }
)


def test_found_by_id_saved_and_opened(tmp_path: Path) -> None:
    profiles = Profiles.of(RECORDS, "USER_ID", ["TOWN", "AGE"])
    assert profiles is not None
    profiles.save(tmp_path)
    opened = Profiles.load(tmp_path)
    assert opened is not None
    for one in (profiles, opened):
        assert one.find("a") == {"AGE": 40.0}
        assert one.find("b") == {"TOWN": "Oslo", "AGE": 30.0}
        assert one.find("c") == {"TOWN": "Lyon|Rome"}
        assert one.find("d") == {}


def test_nothing_known_is_no_profiles(tmp_path: Path) -> None:
    assert Profiles.of(RECORDS, "USER_ID", []) is None
    assert Profiles.of(RECORDS.clear(), "USER_ID", ["AGE"]) is None
    assert Profiles.load(tmp_path) is None
