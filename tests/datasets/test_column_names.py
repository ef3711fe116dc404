from __future__ import annotations

import pytest

from openpersonalize.datasets.column_names import own_name, usual_columns


@pytest.mark.parametrize(
    ("kind", "header", "found"),
    [
        ("INTERACTIONS", "USER_ID,ITEM_ID,TIMESTAMP", "USER_ID=USER_ID ITEM_ID=ITEM_ID TIMESTAMP=TIMESTAMP"),
        (
            "INTERACTIONS",
            "id,Customer ID,sku,created_at,event,rating",
            "USER_ID=Customer ID ITEM_ID=sku TIMESTAMP=created_at EVENT_TYPE=event EVENT_VALUE=rating",
        ),
        (
            "INTERACTIONS",
            "visitorid,timestamp,event,itemid,transactionid",
            "USER_ID=visitorid ITEM_ID=itemid TIMESTAMP=timestamp EVENT_TYPE=event",
        ),
        (
            "INTERACTIONS",
            "userId,movieId,rating,timestamp",
            "USER_ID=userId ITEM_ID=movieId TIMESTAMP=timestamp EVENT_VALUE=rating",
        ),
        (
            "INTERACTIONS",
            "InvoiceNo,StockCode,InvoiceDate,CustomerID",
            "USER_ID=CustomerID ITEM_ID=StockCode TIMESTAMP=InvoiceDate",
        ),
        ("ITEMS", "id,name,release-date", "ITEM_ID=id CREATION_TIMESTAMP=release-date"),
        ("USERS", "id,country", "USER_ID=id"),
        ("INTERACTIONS", "a,b,c", ""),
    ],
)  # fmt: skip
def test_usual_names(kind: str, header: str, found: str) -> None:
    usual = usual_columns(header.split(","), kind)
    assert " ".join(f"{name}={column}" for name, column in usual.items()) == found


def test_names_that_a_schema_may_have() -> None:
    assert [own_name(name) for name in ("Unit price (EUR)", "näme", "2nd", "%")] == [
        "UNIT_PRICE_EUR", "N_ME", "COLUMN_2ND", "COLUMN"
    ]  # fmt: skip
