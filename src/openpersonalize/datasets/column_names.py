"""Column names: under which usual names the columns of Amazon Personalize go elsewhere, `usual_columns`.

What an export calls ``customer_id``, ``sku`` and ``created_at`` is USER_ID, ITEM_ID and TIMESTAMP here. Names
are compared without case, blanks, underscores and hyphens; the earlier of several names wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_USER = (
    "userid user customerid customer clientid client visitorid visitor memberid member accountid buyerid"
    " shopperid personid profileid custid reviewerid readerid viewerid listenerid anonymousid uid email"
)
_ITEM = (
    "itemid item productid product sku articleid article movieid movie stockcode asin isbn videoid video"
    " contentid trackid songid bookid listingid adid newsid gameid showid variantid offerid courseid postid"
    " productcode itemcode"
)
_TIME = (
    "timestamp time ts eventtime eventtimestamp datetime date createdat invoicedate orderdate purchasedate"
    " eventdate occurredat viewedat orderedat purchasedat unixtime unixtimestamp unixreviewtime tdat"
    " transactiondate clickedat when"
)
_CREATED = (
    "creationtimestamp createdat creationdate created releasedate publishedat publishdate publicationdate"
    " launchdate dateadded addedat firstseen"
)
_USUAL: Mapping[str, Mapping[str, str]] = {
    "INTERACTIONS": {
        "USER_ID": _USER,
        "ITEM_ID": _ITEM,
        "TIMESTAMP": _TIME,
        "EVENT_TYPE": "eventtype event eventname action behavior behaviour behaviortype interactiontype"
        " interaction activity type kind eventkind actiontype actionname activitytype eventcategory verb",
        "EVENT_VALUE": "eventvalue rating value overall stars",
    },
    "ITEMS": {"ITEM_ID": f"{_ITEM} id", "CREATION_TIMESTAMP": _CREATED},
    "USERS": {"USER_ID": f"{_USER} id"},
}
_EVENTS = (
    "view views viewed pageview productview detail click clicks clicked purchase purchases purchased buy"
    " bought order ordered sale checkout cart addtocart basket addtobasket wishlist addtowishlist like liked"
    " favorite favourite share watch watched play played listen listened read download search rate rated"
    " rating return returned refund remove removefromcart transaction visit impression stream streamed add"
    " save saved pv fav"
)
EVENT_WORDS = frozenset(_EVENTS.split())
"""What events are usually called, as `plain_name` has it."""
_CONTRARY = (
    "return returned returns refund refunded refunds cancel cancelled canceled cancellation dislike disliked"
    " dislikes unlike remove removed removefromcart removefrombasket removefromwishlist unfollow unsubscribe"
    " skip skipped hide hidden blocked complaint reject rejected thumbsdown downvote"
)
CONTRARY_WORDS = frozenset(_CONTRARY.split())
"""Words of event types that say that somebody does not want an item."""
_SHOWN_NAMES = 6
_BETWEEN = re.compile(r"[\s_.\-]+")


def plain_name(name: str) -> str:
    """A name as names are compared: ``Customer-ID`` is ``customerid``."""
    return _BETWEEN.sub("", name).lower()


def own_name(name: str) -> str:
    """A name that a schema may have, for one's own column: ``Unit price (EUR)`` is ``UNIT_PRICE_EUR``."""
    found = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()[:150]
    return found if found[:1].isalpha() else f"COLUMN_{found}".rstrip("_")


def usual_columns(header: Sequence[str], dataset_type: str) -> dict[str, str]:
    """The reserved columns that a header has, each with the name by which the header calls it."""
    by_plain: dict[str, str] = {}
    for name in header:
        by_plain.setdefault(plain_name(name), name)
    found: dict[str, str] = {}
    for column, names in _USUAL.get(dataset_type, {}).items():
        for one in (plain_name(column), *names.split()):
            if one in by_plain and by_plain[one] not in found.values():
                found[column] = by_plain[one]
                break
    return found


def names_for(columns: Sequence[str], dataset_type: str) -> str:
    """Under which names columns of Amazon Personalize are found: ``USER_ID (or userid, user ...)``."""
    usual = _USUAL.get(dataset_type, {})
    told = []
    for column in columns:
        names = [one for one in usual.get(column, "").split() if one != plain_name(column)]
        told.append(f"{column} (or {', '.join(names[:_SHOWN_NAMES])} ...)" if names else column)
    return ", ".join(told)


def is_contrary(event_type: str) -> bool:
    """Whether an event type's name says that somebody does not want an item: ``order_returned``."""
    words = _BETWEEN.split(event_type.strip().lower())
    return plain_name(event_type.strip()) in CONTRARY_WORDS or not CONTRARY_WORDS.isdisjoint(words)


def times_beside(header: Sequence[str], column: str) -> list[str]:
    """The columns of a header, but `column`, that are usually called as times are."""
    names = {"timestamp", *_TIME.split()}
    return [name for name in header if name != column and plain_name(name) in names]


def likely_type(header: Sequence[str], file: str) -> str | None:
    """The dataset type of a file by its columns, where these leave doubt by its name; None: it may be any."""
    of_events, of_items, of_users = (usual_columns(header, kind) for kind in _USUAL)
    if "USER_ID" in of_events and "ITEM_ID" in of_events:
        return "INTERACTIONS"
    kinds = [
        kind for kind, found in (("ITEMS", "ITEM_ID" in of_items), ("USERS", "USER_ID" in of_users)) if found
    ]
    if len(kinds) == 1:
        return kinds[0]
    name = plain_name(file)
    by_name = {
        "USERS": ("user", "customer", "member", "visitor"),
        "ITEMS": ("item", "product", "movie", "article"),
    }
    named = [kind for kind in kinds if any(word in name for word in by_name[kind])]
    return named[0] if len(named) == 1 else None
