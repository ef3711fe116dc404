"""The public facts of Amazon Personalize's recipes: names, types, hyperparameter tables, abilities, dates.

Data only. From the developer guide (recipe pages) and what ListRecipes and DescribeRecipe return; where
neither says, the choice is ours. `registry.py` gives the trainable ones their code.
"""

from __future__ import annotations

from dataclasses import replace

from .base import Features, Hyperparameter, Recipe

LATEST_UPDATE = "2026-11-25"
"""``lastUpdatedDateTime`` of every recipe: one date, moved by releases."""

DEFAULT_RESOURCES = {"maxNumberOfTrainingJobs": "20", "maxParallelTrainingJobs": "5"}
"""``defaultResourceConfig`` of every algorithm."""

SEARCH_JOBS_LIMIT, SEARCH_PARALLEL_LIMIT = 40, 10
"""Caps of ``hpoResourceConfig``."""


def _number(
    name: str, default: float, low: float, high: float, place: str = "algorithm", tunable: bool = False
) -> Hyperparameter:
    kind = "integer" if isinstance(default, int) else "float"
    return Hyperparameter(name, place, kind, default, low=low, high=high, tunable=tunable)  # type: ignore[arg-type]


def _boolean(name: str, default: bool, tunable: bool = False) -> Hyperparameter:
    return Hyperparameter(name, "algorithm", "boolean", default, values=("true", "false"), tunable=tunable)


def _percentiles(low: float, high: float, what: str = "user_history_length") -> tuple[Hyperparameter, ...]:
    return (
        _number(f"min_{what}_percentile", low, 0.0, 1.0, "feature"),
        _number(f"max_{what}_percentile", high, 0.0, 1.0, "feature"),
    )


SEQUENCE = (
    _number("hidden_dimension", 149, 32, 256, tunable=True),
    _number("bptt", 32, 2, 32, tunable=True),
    _boolean("recency_mask", True, tunable=True),
    *_percentiles(0.0, 0.99),
)
RECENCY_BIAS = (_boolean("apply_recency_bias", True),)
AFFINITY = (_number("hidden_dimension", 149, 32, 256),)
TREND = (
    Hyperparameter(
        "trend_discovery_frequency",
        "feature",
        "string",
        "2 hours",
        values=("30 minutes", "1 hour", "2 hours", "3 hours", "1 day"),
        aliases={"30 min": "30 minutes", "1h": "1 hour", "2h": "2 hours", "3h": "3 hours"},
    ),
)

PERSONAL = Features(
    real_time=True,
    exploration=True,
    exploration_settings=True,
    auto_update=True,
    update_mode=True,
    context=True,
    impressions=True,
    objective=True,
    hpo=True,
    scores=True,
    promotions=True,
    batch=True,
    user_required=True,
)
RANKING = Features(
    real_time=True,
    context=True,
    objective=True,
    hpo=True,
    scores=True,
    batch=True,
    user_required=True,
    ranks_input=True,
)
RELATED = Features(promotions=True, batch=True, item_required=True)
SEGMENTS = Features(segments=True, campaign=False)
USE_CASE = Features(promotions=True, campaign=False)
USE_CASE_FOR_USER = replace(USE_CASE, user_required=True)
USE_CASE_FOR_ITEM = replace(USE_CASE, user_required=True, item_required=True)
USE_CASE_PERSONAL = replace(
    USE_CASE_FOR_USER,
    real_time=True,
    exploration=True,
    exploration_settings=True,
    auto_update=True,
    context=True,
    impressions=True,
)

_OWN: tuple[Recipe, ...] = (
    Recipe(
        "aws-ecomm-customers-who-viewed-x-also-viewed",
        "RELATED_ITEMS",
        "Items that customers view together with the item at hand, without those the user has bought.",
        domain="ECOMMERCE",
        features=USE_CASE_FOR_ITEM,
    ),
    Recipe(
        "aws-ecomm-frequently-bought-together",
        "RELATED_ITEMS",
        "Items that customers buy together with the item at hand.",
        domain="ECOMMERCE",
        features=replace(USE_CASE, item_required=True),
    ),
    Recipe(
        "aws-ecomm-popular-items-by-purchases",
        "POPULAR_ITEMS",
        "Best sellers: items in the order of how many times they were bought.",
        domain="ECOMMERCE",
        features=USE_CASE_FOR_USER,
    ),
    Recipe(
        "aws-ecomm-popular-items-by-views",
        "POPULAR_ITEMS",
        "Most viewed: items in the order of how many times they were viewed.",
        domain="ECOMMERCE",
        features=USE_CASE_FOR_USER,
    ),
    Recipe(
        "aws-ecomm-recommended-for-you",
        "USER_PERSONALIZATION",
        "Items for one user of a shop, from everything the user did, without those already bought.",
        domain="ECOMMERCE",
        features=USE_CASE_PERSONAL,
    ),
    Recipe(
        "aws-item-affinity",
        "USER_SEGMENTATION",
        "For each given item, the users who are most likely to interact with it.",
        created="2021-07-15",
        hyperparameters=AFFINITY,
        features=SEGMENTS,
        feature_transformation="item-affinity",
    ),
    Recipe(
        "aws-item-attribute-affinity",
        "USER_SEGMENTATION",
        "For each given attribute, the users who are most likely to interact with items that have it.",
        created="2021-08-25",
        hyperparameters=AFFINITY,
        features=SEGMENTS,
        needs=("INTERACTIONS", "ITEMS"),
        feature_transformation="item-attribute-affinity",
    ),
    Recipe(
        "aws-next-best-action",
        "PERSONALIZED_ACTIONS",
        "The actions that a user is most likely to take, each with its probability.",
        created="2023-08-11",
        hyperparameters=(_number("action_optimization_period", 14, 7, 28, "feature"),),
        features=Features(
            real_time=True,
            exploration=True,
            exploration_settings=True,
            auto_update=True,
            scores=True,
            user_required=True,
        ),
        needs=("INTERACTIONS", "ACTIONS"),
    ),
    Recipe(
        "aws-personalized-ranking",
        "PERSONALIZED_RANKING",
        "Puts a given list of items in the order of one user's interest.",
        hyperparameters=SEQUENCE,
        features=RANKING,
        feature_transformation="JSON-percentile-filtering",
    ),
    Recipe(
        "aws-personalized-ranking-v2",
        "PERSONALIZED_RANKING",
        "Puts a given list of items in the order of one user's interest; for up to five million items.",
        created="2024-01-01",
        hyperparameters=RECENCY_BIAS,
        features=replace(RANKING, objective=False, hpo=False, events_config=True, metadata_always=True),
    ),
    Recipe(
        "aws-popularity-count",
        "USER_PERSONALIZATION",
        "The items that most users have interacted with; the same list for everybody. A baseline to beat.",
        features=Features(promotions=True, batch=True),
        feature_transformation="sims",
    ),
    Recipe(
        "aws-semantic-similarity",
        "RELATED_ITEMS",
        "Items whose texts mean nearly the same as those of the item at hand; new items count at once.",
        created="2025-11-30",
        features=replace(RELATED, metadata_always=True, incremental_update=True, ranking_influence=True),
        needs=("ITEMS",),
    ),
    Recipe(
        "aws-similar-items",
        "RELATED_ITEMS",
        "Items like the item at hand, by who interacted with both and by their metadata.",
        hyperparameters=(
            _number("popularity_discount_factor", 0.0, 0.0, 1.0),
            _number("item_id_hidden_dim", 100, 30, 200, "search", tunable=True),
            _number("item_metadata_hidden_dim", 100, 30, 200, "search", tunable=True),
        ),
        features=replace(RELATED, hpo=True, themes=True),
    ),
    Recipe(
        "aws-sims",
        "RELATED_ITEMS",
        "Items that the same users interacted with as the item at hand.",
        hyperparameters=(
            _number("popularity_discount_factor", 0.5, 0.0, 1.0, tunable=True),
            _number("min_cointeraction_count", 3, 0, 10, tunable=True),
            *_percentiles(0.005, 0.995),
            *_percentiles(0.01, 0.9, "item_interaction_count"),
        ),
        features=replace(RELATED, hpo=True),
        feature_transformation="sims",
    ),
    Recipe(
        "aws-trending-now",
        "POPULAR_ITEMS",
        "The items whose interactions grow fastest at the moment; the same list for everybody.",
        created="2023-01-06",
        hyperparameters=TREND,
        features=Features(promotions=True),
        algorithm="aws-trending-now-custom",
    ),
    Recipe(
        "aws-user-personalization",
        "USER_PERSONALIZATION",
        "Items for one user, from the sequence of everything the user did, with room for new ones.",
        hyperparameters=SEQUENCE,
        features=PERSONAL,
    ),
    Recipe(
        "aws-user-personalization-v2",
        "USER_PERSONALIZATION",
        "Items for one user, from the sequence of everything the user did; for up to five million items.",
        created="2024-01-01",
        hyperparameters=RECENCY_BIAS,
        features=replace(
            PERSONAL,
            exploration_settings=False,
            update_mode=False,
            impressions=False,
            objective=False,
            hpo=False,
            events_config=True,
            reasons=True,
            metadata_always=True,
        ),
    ),
    Recipe(
        "aws-vod-because-you-watched-x",
        "RELATED_ITEMS",
        "Videos that people watched who watched the one at hand, without those the user has watched.",
        domain="VIDEO_ON_DEMAND",
        features=USE_CASE_FOR_ITEM,
    ),
    Recipe(
        "aws-vod-more-like-x",
        "RELATED_ITEMS",
        "Videos like the one at hand, by audience and metadata, without those the user has watched.",
        domain="VIDEO_ON_DEMAND",
        features=USE_CASE_FOR_ITEM,
        needs=("INTERACTIONS", "ITEMS"),
    ),
    Recipe(
        "aws-vod-most-popular",
        "POPULAR_ITEMS",
        "The videos that most people watched.",
        domain="VIDEO_ON_DEMAND",
        features=USE_CASE_FOR_USER,
    ),
    Recipe(
        "aws-vod-top-picks",
        "USER_PERSONALIZATION",
        "Videos for one user, from everything the user did, without those already watched.",
        domain="VIDEO_ON_DEMAND",
        features=USE_CASE_PERSONAL,
    ),
    Recipe(
        "aws-vod-trending-now",
        "POPULAR_ITEMS",
        "The videos whose audience grows fastest at the moment.",
        domain="VIDEO_ON_DEMAND",
        features=replace(USE_CASE, promotions=False),
    ),
)

_LARGE = ("aws-personalized-ranking-v2", "aws-user-personalization-v2")
_MOST_ITEMS = {**dict.fromkeys(_LARGE, 5_000_000), "aws-semantic-similarity": 10_000_000}


def _limited(one: Recipe) -> Recipe:
    """With what a training considers at most (developer guide, "Service quotas")."""
    interactions = 3_000_000_000 if one.name in _LARGE else 500_000_000
    return replace(one, most_items=_MOST_ITEMS.get(one.name, 750_000), most_interactions=interactions)


CATALOGUE: tuple[Recipe, ...] = tuple(map(_limited, _OWN))

_PERCENTILES = _percentiles(0.0, 0.99)
LEGACY: tuple[Recipe, ...] = (
    Recipe(
        "aws-hrnn",
        "USER_PERSONALIZATION",
        "A former recipe for sequences of interactions. Use aws-user-personalization-v2.",
        hyperparameters=(
            _number("hidden_dimension", 43, 32, 256, tunable=True),
            *SEQUENCE[1:3],
            *_PERCENTILES,
        ),
        feature_transformation="JSON-percentile-filtering",
        listed=False,
    ),
    Recipe(
        "aws-hrnn-coldstart",
        "USER_PERSONALIZATION",
        "A former recipe that favoured new items. Use aws-user-personalization-v2.",
        hyperparameters=(
            *SEQUENCE[:3],
            *_PERCENTILES,
            _number("cold_start_max_interactions", 15, 1, 1_000_000, "feature"),
            _number("cold_start_max_duration", 5.0, 0.0, 1_000_000.0, "feature"),
            Hyperparameter(
                "cold_start_relative_from",
                "feature",
                "string",
                "latestItem",
                values=("currentTime", "latestItem"),
            ),
        ),
        feature_transformation="featurize_coldstart",
        listed=False,
    ),
    Recipe(
        "aws-hrnn-metadata",
        "USER_PERSONALIZATION",
        "A former recipe for sequences of interactions with metadata. Use aws-user-personalization-v2.",
        hyperparameters=(
            _number("hidden_dimension", 43, 32, 256, tunable=True),
            *SEQUENCE[1:3],
            *_PERCENTILES,
        ),
        feature_transformation="featurize_metadata",
        listed=False,
    ),
)
"""Names that DescribeRecipe still answers and CreateSolution refuses."""
