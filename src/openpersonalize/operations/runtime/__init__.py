"""The runtime operations: from a checked request to encoded JSON.

They run in the event loop: when the campaign and the filter are loaded, nothing here waits. Only loading
does, in threads. The checks come in a fixed order, so that of several mistakes in one request the same is
reported every time: ARN, campaign, recipe, ids, sizes, metadata, promotion, filter, its values.
"""

from .actions import get_action_recommendations
from .rank import get_personalized_ranking
from .recommend import get_recommendations

__all__ = ["get_action_recommendations", "get_personalized_ranking", "get_recommendations"]
