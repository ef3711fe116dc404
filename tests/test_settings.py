"""Settings: where a value comes from, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from openpersonalize.errors import StartError
from openpersonalize.settings import SETTINGS, Settings, read_settings, unknown_variables


def test_the_command_line_wins_over_the_environment_over_the_default():
    environment = {"OPENPERSONALIZE_PORT": "1234", "OPENPERSONALIZE_MINIMUM_DATA": "off"}
    settings = read_settings({"port": 4321, "workers": None}, environment)
    assert (settings.port, settings.minimum_data, settings.workers) == (4321, False, 1)


def test_a_process_gets_the_same_settings_from_json():
    settings = read_settings({"threads": 3}, {})
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("account", "12", "account must be 12 digits, not '12'."),
        ("account", "٠" * 12, "account must be 12 digits"),
        ("region", "a/b", "region must be a name like us-east-1, not 'a/b'."),
        ("region", "", "region must be a name"),
        ("data_dir", "", "data_dir must name a folder."),
        ("port", 65536, "port must be between 0 and 65535, not 65536."),
        ("workers", 0, "workers must be at least 1, not 0."),
        ("shed_after", 0, "shed_after must be at least 1, not 0."),
        ("threads", -1, "threads must be at least 0, not -1."),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, value: Any, sentence: str):
    with pytest.raises(StartError) as caught:
        read_settings({name: value}, {})
    assert caught.value.message.startswith(sentence)


@pytest.mark.parametrize("name", [row.name for row in SETTINGS if type(row.default) is int])
def test_no_number_may_be_negative(name: str):
    with pytest.raises(StartError, match=f"^{name} must be"):
        read_settings({name: -1}, {})


@pytest.mark.parametrize(
    ("text", "advice"), [("abc", "write a whole number"), ("1.5", "write a whole number")]
)
def test_a_malformed_variable_is_named(text: str, advice: str):
    with pytest.raises(StartError, match=rf"^OPENPERSONALIZE_PORT='{text}' cannot be read \({advice}\)"):
        read_settings({}, {"OPENPERSONALIZE_PORT": text})


@pytest.mark.parametrize(("text", "seconds"), [("immediate", 0), ("30s", 30), ("5m", 300), ("2h", 7200)])
def test_how_often_new_items_join_is_a_period(text: str, seconds: float):
    assert read_settings({}, {"OPENPERSONALIZE_ITEM_REFRESH": text}).item_refresh_seconds == seconds
    assert read_settings({"item_refresh": text}, {}).item_refresh_seconds == seconds


@pytest.mark.parametrize("text", ["", "2", "0h", "-1h", "2 hours", "daily"])
def test_other_periods_are_refused(text: str):
    with pytest.raises(StartError, match=r"ITEM_REFRESH.*write immediate, or"):
        read_settings({}, {"OPENPERSONALIZE_ITEM_REFRESH": text})
    with pytest.raises(StartError, match=r"^item_refresh"):
        read_settings({"item_refresh": text}, {})


def test_variables_that_are_no_settings_are_named_with_what_was_meant() -> None:
    environment = {
        "OPENPERSONALIZE_PORT": "1",
        "OPENPERSONALIZE_MINIMUN_DATA": "off",
        "OPENPERSONALIZE_X": "1",
    }
    assert unknown_variables(environment) == [
        ("OPENPERSONALIZE_MINIMUN_DATA", "OPENPERSONALIZE_MINIMUM_DATA"),
        ("OPENPERSONALIZE_X", ""),
    ]
