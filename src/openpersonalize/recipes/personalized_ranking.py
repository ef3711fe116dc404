"""aws-personalized-ranking and aws-personalized-ranking-v2: the same model, asked about a given list."""

from __future__ import annotations

from .user_personalization import UserPersonalization


class PersonalizedRanking(UserPersonalization):
    """Serving restricts the scores to the items of the request."""
