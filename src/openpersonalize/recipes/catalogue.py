"""The public facts of Amazon Personalize's recipes: names, types, hyperparameter tables, abilities, dates.

Data only. From the developer guide (recipe pages) and what ListRecipes and DescribeRecipe return; where
neither says, the choice is ours. `registry.py` gives the trainable ones their code.
"""

from __future__ import annotations

from dataclasses import replace

from .facts import Facts, Hyperparameter, Offer, Preset, Task, Value
from .hyperparameter_tables import AFFINITY, RECENCY_BIAS, SEQUENCE, TREND, number, percentiles

LATEST_UPDATE = "2026-11-25"
"""``lastUpdatedDateTime`` of every recipe: one date, moved by releases."""

DEFAULT_RESOURCES = {"maxNumberOfTrainingJobs": "20", "maxParallelTrainingJobs": "5"}
"""``defaultResourceConfig`` of every algorithm."""

SEARCH_JOBS_LIMIT, SEARCH_PARALLEL_LIMIT = 40, 10
"""Caps of ``hpoResourceConfig``."""


PERSONAL = frozenset(
    {
        Offer.EXPLORATION,
        Offer.EXPLORATION_SETTINGS,
        Offer.AUTO_UPDATE,
        Offer.UPDATE_MODE,
        Offer.IMPRESSIONS,
        Offer.OBJECTIVE,
        Offer.HPO,
        Offer.SCORES,
        Offer.PROMOTIONS,
        Offer.BATCH,
    }
)
PERSONAL_V2 = frozenset(
    {
        Offer.EXPLORATION,
        Offer.AUTO_UPDATE,
        Offer.EVENTS_CONFIG,
        Offer.SCORES,
        Offer.REASONS,
        Offer.PROMOTIONS,
        Offer.METADATA,
        Offer.BATCH,
    }
)
RANKING = frozenset({Offer.OBJECTIVE, Offer.HPO, Offer.SCORES, Offer.BATCH})
RANKING_V2 = frozenset({Offer.EVENTS_CONFIG, Offer.SCORES, Offer.METADATA, Offer.BATCH})
RELATED = frozenset({Offer.PROMOTIONS, Offer.BATCH})
ACTIONS = frozenset({Offer.EXPLORATION, Offer.EXPLORATION_SETTINGS, Offer.AUTO_UPDATE, Offer.SCORES})
ALL_PAIRS: dict[str, Value] = {
    "min_cointeraction_count": 1,
    "popularity_discount_factor": 0.25,
    "min_item_interaction_count_percentile": 0.0,
    "max_item_interaction_count_percentile": 1.0,
}
"""aws-sims for a use case: its defaults leave the most popular items without relatives, and most of the
others where users are few; docs/related-items.md has the figures."""
USE_CASE = frozenset({Offer.PROMOTIONS})
USE_CASE_PERSONAL = USE_CASE | {
    Offer.EXPLORATION,
    Offer.EXPLORATION_SETTINGS,
    Offer.AUTO_UPDATE,
    Offer.IMPRESSIONS,
}


_OWN: tuple[Facts, ...] = (
    Facts(
        "aws-ecomm-customers-who-viewed-x-also-viewed",
        Task.RELATED,
        "Items that customers view together with the item at hand, without those the user has bought.",
        domain="ECOMMERCE",
        preset=Preset("aws-sims", ("View",), ("Purchase",), settings=ALL_PAIRS),
        offers=USE_CASE,
        needs_user=True,
    ),
    Facts(
        "aws-ecomm-frequently-bought-together",
        Task.RELATED,
        "Items that customers buy together with the item at hand.",
        domain="ECOMMERCE",
        preset=Preset("aws-sims", ("Purchase",)),
        offers=USE_CASE,
    ),
    Facts(
        "aws-ecomm-popular-items-by-purchases",
        Task.POPULAR,
        "Best sellers: items in the order of how many times they were bought.",
        domain="ECOMMERCE",
        preset=Preset("aws-popularity-count", ("Purchase",), counts="events"),
        offers=USE_CASE,
        needs_user=True,
    ),
    Facts(
        "aws-ecomm-popular-items-by-views",
        Task.POPULAR,
        "Most viewed: items in the order of how many times they were viewed.",
        domain="ECOMMERCE",
        preset=Preset("aws-popularity-count", ("View",), counts="events"),
        offers=USE_CASE,
        needs_user=True,
    ),
    Facts(
        "aws-ecomm-recommended-for-you",
        Task.PERSONALISE,
        "Items for one user of a shop, from everything the user did, without those already bought.",
        domain="ECOMMERCE",
        preset=Preset("aws-user-personalization", hides=("Purchase",)),
        offers=USE_CASE_PERSONAL,
    ),
    Facts(
        "aws-item-affinity",
        Task.SEGMENT,
        "For each given item, the users who are most likely to interact with it.",
        created="2021-07-15",
        hyperparameters=AFFINITY,
        feature_transformation="item-affinity",
    ),
    Facts(
        "aws-item-attribute-affinity",
        Task.SEGMENT,
        "For each given attribute, the users who are most likely to interact with items that have it.",
        created="2021-08-25",
        hyperparameters=AFFINITY,
        needs=("INTERACTIONS", "ITEMS"),
        needs_attribute=True,
        feature_transformation="item-attribute-affinity",
    ),
    Facts(
        "aws-next-best-action",
        Task.ACTIONS,
        "The actions that a user is most likely to take, each with its probability.",
        created="2023-08-11",
        hyperparameters=(number("action_optimization_period", 14, 7, 28, "feature"),),
        offers=ACTIONS,
        needs=("INTERACTIONS", "ACTIONS"),
        most_items=1000,
    ),
    Facts(
        "aws-personalized-ranking",
        Task.RERANK,
        "Puts a given list of items in the order of one user's interest.",
        hyperparameters=SEQUENCE,
        offers=RANKING,
        feature_transformation="JSON-percentile-filtering",
    ),
    Facts(
        "aws-personalized-ranking-v2",
        Task.RERANK,
        "Puts a given list of items in the order of one user's interest; for up to five million items.",
        created="2024-01-01",
        hyperparameters=RECENCY_BIAS,
        offers=RANKING_V2,
    ),
    Facts(
        "aws-popularity-count",
        Task.POPULAR,
        "The items that most users have interacted with; the same list for everybody. A baseline to beat.",
        offers=frozenset({Offer.PROMOTIONS, Offer.BATCH}),
        shown_as=Task.PERSONALISE,
        feature_transformation="sims",
    ),
    Facts(
        "aws-semantic-similarity",
        Task.RELATED,
        "Items whose texts mean nearly the same as those of the item at hand; new items count at once.",
        created="2025-11-30",
        offers=RELATED | {Offer.METADATA, Offer.INCREMENTAL_UPDATE, Offer.RANKING_INFLUENCE},
        needs=("ITEMS",),
        needs_text=True,
    ),
    Facts(
        "aws-similar-items",
        Task.RELATED,
        "Items like the item at hand, by who interacted with both and by their metadata.",
        hyperparameters=(
            number("popularity_discount_factor", 0.0, 0.0, 1.0),
            number("item_id_hidden_dim", 100, 30, 200, "search", tunable=True),
            number("item_metadata_hidden_dim", 100, 30, 200, "search", tunable=True),
        ),
        offers=RELATED | {Offer.HPO, Offer.THEMES},
    ),
    Facts(
        "aws-sims",
        Task.RELATED,
        "Items that the same users interacted with as the item at hand.",
        hyperparameters=(
            number("popularity_discount_factor", 0.5, 0.0, 1.0, tunable=True),
            number("min_cointeraction_count", 3, 0, 10, tunable=True),
            *percentiles(0.005, 0.995),
            *percentiles(0.01, 0.9, "item_interaction_count"),
        ),
        offers=RELATED | {Offer.HPO},
        feature_transformation="sims",
    ),
    Facts(
        "aws-trending-now",
        Task.POPULAR,
        "The items whose interactions grow fastest at the moment; the same list for everybody.",
        created="2023-01-06",
        hyperparameters=TREND,
        offers=frozenset({Offer.PROMOTIONS}),
        algorithm="aws-trending-now-custom",
    ),
    Facts(
        "aws-user-personalization",
        Task.PERSONALISE,
        "Items for one user, from the sequence of everything the user did, with room for new ones.",
        hyperparameters=SEQUENCE,
        offers=PERSONAL,
    ),
    Facts(
        "aws-user-personalization-v2",
        Task.PERSONALISE,
        "Items for one user, from the sequence of everything the user did; for up to five million items.",
        created="2024-01-01",
        hyperparameters=RECENCY_BIAS,
        offers=PERSONAL_V2,
        scored="seen",
    ),
    Facts(
        "aws-vod-because-you-watched-x",
        Task.RELATED,
        "Videos that people watched who watched the one at hand, without those the user has watched.",
        domain="VIDEO_ON_DEMAND",
        preset=Preset("aws-sims", ("Watch",), ("Watch",), settings=ALL_PAIRS),
        offers=USE_CASE,
        needs_user=True,
    ),
    Facts(
        "aws-vod-more-like-x",
        Task.RELATED,
        "Videos like the one at hand, by audience and metadata, without those the user has watched.",
        domain="VIDEO_ON_DEMAND",
        preset=Preset("aws-similar-items", hides=("Watch",)),
        offers=USE_CASE,
        needs_user=True,
        needs=("INTERACTIONS", "ITEMS"),
    ),
    Facts(
        "aws-vod-most-popular",
        Task.POPULAR,
        "The videos that most people watched.",
        domain="VIDEO_ON_DEMAND",
        preset=Preset("aws-popularity-count", ("Watch",)),
        offers=USE_CASE,
        needs_user=True,
    ),
    Facts(
        "aws-vod-top-picks",
        Task.PERSONALISE,
        "Videos for one user, from everything the user did, without those already watched.",
        domain="VIDEO_ON_DEMAND",
        preset=Preset("aws-user-personalization", hides=("Watch",)),
        offers=USE_CASE_PERSONAL,
    ),
    Facts(
        "aws-vod-trending-now",
        Task.POPULAR,
        "The videos whose audience grows fastest at the moment.",
        domain="VIDEO_ON_DEMAND",
        preset=Preset("aws-trending-now"),
    ),
)

_LARGE = ("aws-personalized-ranking-v2", "aws-user-personalization-v2")
_MOST_ITEMS = {**dict.fromkeys(_LARGE, 5_000_000), "aws-semantic-similarity": 10_000_000}


def _limited(one: Facts) -> Facts:
    """With what a training considers at most (developer guide, "Service quotas")."""
    interactions = 3_000_000_000 if one.name in _LARGE else 500_000_000
    return replace(one, most_items=_MOST_ITEMS.get(one.name, 750_000), most_interactions=interactions)


CATALOGUE: tuple[Facts, ...] = tuple(map(_limited, _OWN))

_PERCENTILES = percentiles(0.0, 0.99)
LEGACY: tuple[Facts, ...] = (
    Facts(
        "aws-hrnn",
        Task.PERSONALISE,
        "A former recipe for sequences of interactions. Use aws-user-personalization-v2.",
        hyperparameters=(
            number("hidden_dimension", 43, 32, 256, tunable=True),
            *SEQUENCE[1:3],
            *_PERCENTILES,
        ),
        feature_transformation="JSON-percentile-filtering",
        listed=False,
    ),
    Facts(
        "aws-hrnn-coldstart",
        Task.PERSONALISE,
        "A former recipe that favoured new items. Use aws-user-personalization-v2.",
        hyperparameters=(
            *SEQUENCE[:3],
            *_PERCENTILES,
            number("cold_start_max_interactions", 15, 1, 1_000_000, "feature"),
            number("cold_start_max_duration", 5.0, 0.0, 1_000_000.0, "feature"),
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
    Facts(
        "aws-hrnn-metadata",
        Task.PERSONALISE,
        "A former recipe for sequences of interactions with metadata. Use aws-user-personalization-v2.",
        hyperparameters=(
            number("hidden_dimension", 43, 32, 256, tunable=True),
            *SEQUENCE[1:3],
            *_PERCENTILES,
        ),
        feature_transformation="featurize_metadata",
        listed=False,
    ),
)
"""Names that DescribeRecipe still answers and CreateSolution refuses."""
