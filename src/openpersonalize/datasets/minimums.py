"""Minimums and limits of what a training takes (Amazon Personalize developer guide, "Quotas"), as imports,
trainings and inspections count them."""

from __future__ import annotations

LEAST_INTERACTIONS = 1000
LEAST_USERS = 25
"""Users with at least two interactions."""
LEAST_SHARE = 0.01
"""Of all users, those with at least two interactions."""
MOST_KINDS = 10
"""Event types, EVENT_TYPE, EVENT_VALUE and columns of metadata of interactions, together."""

SMALL_DATA = "For small data start the server with its option: openpersonalize serve --minimum-data off."
