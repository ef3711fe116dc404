"""The members that every streamed event has, whatever columns its dataset has: `EVENT_MEMBERS`."""

from __future__ import annotations

from ..datasets.schemas import Field, Schema

EVENT_MEMBERS = Schema(
    (
        Field("USER_ID", "string"),
        Field("ITEM_ID", "string"),
        Field("TIMESTAMP", "long"),
        Field("EVENT_TYPE", "string"),
        Field("EVENT_VALUE", "float"),
        Field("IMPRESSION", "string"),
        Field("RECOMMENDATION_ID", "string"),
    )
)
"""What is read of a streamed event by whoever counts."""
