"""What is promised of each recipe of the catalogue: whether events count at once, the names of its metrics.

From the developer guide's recipe pages and "Evaluating the trained solution version"; `HELD_BY` says which
file holds the promises of a recipe, where its world is trained once for other tests, too.
"""

from __future__ import annotations

RANKED = frozenset(
    {
        "coverage",
        "mean_reciprocal_rank_at_25",
        *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
        *(f"precision_at_{k}" for k in (5, 10, 25)),
    }
)
TREND = frozenset({"coverage", "trend_prediction_accuracy"})
SEGMENT = frozenset({"coverage", "hits_at_1_percent", "recall_at_1_percent"})
ACTION = (RANKED - {name for name in RANKED if name.startswith(("mean", "precision"))}) | {
    "precision", "recall", "area_under_curve"
}  # fmt: skip
SEMANTIC = frozenset({"coverage", "item_popularity", "item_freshness", "item_similarity"})
"""Less those for which the data has no interactions, or no times."""

AT_ONCE = frozenset(
    {
        "aws-ecomm-recommended-for-you",
        "aws-next-best-action",
        "aws-personalized-ranking",
        "aws-personalized-ranking-v2",
        "aws-user-personalization",
        "aws-user-personalization-v2",
        "aws-vod-top-picks",
    }
)
"""A user's event changes that user's next answer."""
BY_THE_CLOCK = frozenset({"aws-trending-now", "aws-vod-trending-now"})
"""What many do changes everybody's answers, without a training: see recipes/test_trending_now.py, and
serving/test_new_items.py, whose clocks can be moved."""

SHOP = tuple(
    f"aws-ecomm-{name}"
    for name in (
        "customers-who-viewed-x-also-viewed",
        "frequently-bought-together",
        "popular-items-by-purchases",
        "popular-items-by-views",
        "recommended-for-you",
    )
)
CINEMA = tuple(
    f"aws-vod-{name}"
    for name in ("because-you-watched-x", "more-like-x", "most-popular", "top-picks", "trending-now")
)
CUSTOM = tuple(
    f"aws-{name}"
    for name in (
        "personalized-ranking",
        "personalized-ranking-v2",
        "popularity-count",
        "similar-items",
        "sims",
        "trending-now",
        "user-personalization",
        "user-personalization-v2",
    )
)
SEGMENTS = ("aws-item-affinity", "aws-item-attribute-affinity")
HELD_BY = {
    **dict.fromkeys((*SHOP, *CINEMA), "operations/test_recommenders.py"),
    **dict.fromkeys(CUSTOM, "operations/test_runtime.py"),
    **dict.fromkeys(
        ("aws-item-affinity", "aws-item-attribute-affinity"), "operations/test_batch_segment_jobs.py"
    ),
    "aws-next-best-action": "operations/test_action_recommendations.py",
    "aws-semantic-similarity": "operations/test_semantic_similarity.py",
}


def metrics_of(recipe: str) -> frozenset[str]:
    """The names of a recipe's metrics."""
    if recipe in BY_THE_CLOCK:
        return TREND
    special = {"aws-next-best-action": ACTION, "aws-semantic-similarity": SEMANTIC}
    return special.get(recipe, SEGMENT if recipe in SEGMENTS else RANKED)
