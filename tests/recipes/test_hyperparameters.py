"""Texts become typed values, ranges become what a search may try."""

from __future__ import annotations

from openpersonalize.recipes.hyperparameters import described_config, read_configuration, read_search
from openpersonalize.recipes.objective import Objective
from openpersonalize.recipes.registry import facts_of

V1 = facts_of("aws-user-personalization")
assert V1 is not None


def test_defaults() -> None:
    found = read_configuration(V1, None)
    assert found.parameters == {
        "hidden_dimension": 149,
        "bptt": 32,
        "recency_mask": True,
        "min_user_history_length_percentile": 0.0,
        "max_user_history_length_percentile": 0.99,
    }
    assert found.objective is None


def test_sent_and_tuned_values() -> None:
    config = {
        "algorithmHyperParameters": {"training.bptt": "8", "recency_mask": "true"},
        "featureTransformationParameters": {"max_user_history_length_percentile": "0.5"},
        "optimizationObjective": {"itemAttribute": "PRICE", "objectiveSensitivity": "HIGH"},
    }
    found = read_configuration(V1, config, {"recency_mask": "false"})
    assert found.parameters["bptt"] == 8
    assert found.parameters["recency_mask"] is False
    assert found.parameters["max_user_history_length_percentile"] == 0.5
    assert found.objective == Objective("PRICE", "HIGH")
    assert found.objective.weight == 0.75


def test_a_search_without_ranges_may_try_the_documented_ones() -> None:
    found = read_search(V1, {})
    assert {one.row.name: (one.low, one.high, one.values) for one in found.ranges} == {
        "hidden_dimension": (32, 256, ()),
        "bptt": (2, 32, ()),
        "recency_mask": (None, None, ("true", "false")),
    }
    assert (found.jobs, found.parallel) == (20, 5)


def test_a_search_tries_only_what_was_sent() -> None:
    sent = {
        "hpoConfig": {
            "hpoResourceConfig": {"maxNumberOfTrainingJobs": "4", "maxParallelTrainingJobs": "2"},
            "algorithmHyperParameterRanges": {
                "integerHyperParameterRanges": [{"name": "bptt", "minValue": 4, "maxValue": 8}],
                "continuousHyperParameterRanges": [],
            },
        }
    }
    found = read_search(V1, sent)
    assert [(one.row.name, one.low, one.high) for one in found.ranges] == [("bptt", 4, 8)]
    assert (found.jobs, found.parallel) == (4, 2)


def test_described_ranges_have_their_prefix_and_the_rest_is_as_sent() -> None:
    sent = {
        "algorithmHyperParameters": {"hidden_dimension": "64"},
        "hpoConfig": {
            "hpoResourceConfig": {"maxNumberOfTrainingJobs": "4"},
            "algorithmHyperParameterRanges": {
                "integerHyperParameterRanges": [{"name": "bptt", "minValue": 4, "maxValue": 8}],
                "categoricalHyperParameterRanges": [{"name": "recency_mask", "values": ["true"]}],
                "continuousHyperParameterRanges": [],
            },
        },
    }
    shown = described_config(V1, sent)
    assert shown["algorithmHyperParameters"] == {"hidden_dimension": "64"}
    assert shown["hpoConfig"]["hpoResourceConfig"] == {"maxNumberOfTrainingJobs": "4"}
    assert shown["hpoConfig"]["algorithmHyperParameterRanges"] == {
        "integerHyperParameterRanges": [{"name": "training.bptt", "minValue": 4, "maxValue": 8}],
        "categoricalHyperParameterRanges": [{"name": "data.recency_mask", "values": ["true"]}],
        "continuousHyperParameterRanges": [],
    }
    assert (
        sent["hpoConfig"]["algorithmHyperParameterRanges"]["integerHyperParameterRanges"][0]["name"] == "bptt"
    )
    assert described_config(V1, shown) == shown
    assert described_config(V1, {}) == {}
