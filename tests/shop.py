"""A tiny shop whose truth is known: three departments, users who keep to one of them, one favourite of all.

60 items in 3 departments of 20; 40 users, of whom user k belongs to department k mod 3 and meets its items
only, in an order of their own; every user ends on the favourite ``item-00``. Whatever learns anything must
recommend items of a user's own department and call ``item-00`` the most popular.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass

NAMESPACE = "com.amazonaws.personalize.schema"
FAVOURITE = "item-00"
ITEMS = [f"item-{k:02d}" for k in range(60)]
USERS = [f"user-{k:02d}" for k in range(40)]
DEPARTMENTS = ("books", "games", "music")
LAST = int(time.time()) // 3600 * 3600 - 3600
"""When the last of them came: an hour ago, so that no user counts as long gone."""
TYPES = ("Interactions", "Items", "Users")


def schema(name: str, *fields: dict[str, object]) -> str:
    """The text of an Avro record of this service."""
    return json.dumps(
        {"type": "record", "name": name, "namespace": NAMESPACE, "fields": list(fields), "version": "1.0"}
    )


def field(name: str, kind: object = "string", **flags: object) -> dict[str, object]:
    """One field of a schema."""
    return {"name": name, "type": kind, **flags}


SCHEMAS = {
    "Interactions": schema(
        "Interactions",
        field("USER_ID"),
        field("ITEM_ID"),
        field("TIMESTAMP", "long"),
        field("EVENT_TYPE"),
        field("EVENT_VALUE", ["float", "null"]),
    ),
    "Items": schema(
        "Items",
        field("ITEM_ID"),
        field("DEPARTMENT", categorical=True),
        field("PRICE", "float"),
        field("COLOUR", ["string", "null"]),
        field("CREATION_TIMESTAMP", "long"),
    ),
    "Users": schema("Users", field("USER_ID"), field("AGE", "int"), field("CITY", categorical=True)),
}


def department(name: str) -> str:
    """The department of an item or a user, by its number."""
    return DEPARTMENTS[int(name.rsplit("-", 1)[1]) % len(DEPARTMENTS)]


def _interactions(seed: int) -> list[str]:
    chance = random.Random(seed)
    lines = []
    for number, user in enumerate(USERS):
        own = [item for item in ITEMS if department(item) == department(user)]
        chance.shuffle(own)
        visits = own + own[:15] + [FAVOURITE]
        for step, item in enumerate(visits):
            time = LAST - (len(visits) - step) * 600 - number * 7
            kind = "purchase" if step % 5 == 4 else "click"
            value = f"{1 + step % 3}.5" if kind == "purchase" else ""
            lines.append(f"{user},{item},{time},{kind},{value}")
    return lines


def _items() -> list[str]:
    return [
        f"{item},{department(item)},{5 + number % 7}.25,{'red' if number % 2 else ''},{LAST - 86400 * number}"
        for number, item in enumerate(ITEMS)
    ]


def _users() -> list[str]:
    return [f"{user},{18 + number},{'Lyon' if number % 4 else 'Oslo'}" for number, user in enumerate(USERS)]


def csv(kind: str, *, seed: int = 1) -> str:
    """The import file of ``Interactions`` (1440 rows, 1160 of them clicks), ``Items`` or ``Users``."""
    header = ",".join(f["name"] for f in json.loads(SCHEMAS[kind])["fields"])
    rows = {"Interactions": lambda: _interactions(seed), "Items": _items, "Users": _users}[kind]()
    return "\n".join([header, *rows]) + "\n"


@dataclass(frozen=True)
class SmallShop:
    """The shop in a running server: a dataset group with imported datasets.

    Attributes:
        region: where it lives.
        group: ARN of the dataset group.
        datasets: ARNs by dataset type (``Interactions``, ``Items``, ``Users``).
        imports: ARNs of the finished import jobs by dataset type.
    """

    region: str
    group: str
    datasets: dict[str, str]
    imports: dict[str, str]
