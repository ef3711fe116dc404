"""A least-recently-used cache bounded by bytes: `ByteLRU`."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


@dataclass(eq=False)
class CacheUse:
    """How often something was found in the caches of one name, since the process began."""

    hits: int = 0
    misses: int = 0


USES: defaultdict[str, CacheUse] = defaultdict(CacheUse)
"""By name of a cache."""

OVERHEAD = 200
"""Bytes charged for each entry on top of its own size: the key, the dictionary's slot, object headers."""


class ByteLRU(Generic[Value]):
    """Values by key, at most `limit` bytes of them. A value larger than the limit is not kept at all.

    Not locked: an instance belongs to one thread (in the server, the event loop).
    """

    def __init__(self, limit: int, size: Callable[[Value], int], name: str) -> None:
        """Keep up to `limit` bytes, a value's bytes being told by `size`. Its use is counted in `USES` under
        `name`."""
        self._use = USES[name]
        self._limit = limit
        self._size = size
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self.bytes = 0
        """What the kept values take now."""

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Any]:
        """The keys of what is kept now, that unused for longest first."""
        return iter(list(self._values))

    def get(self, key: Hashable) -> Value | None:
        """The value under `key`, which then counts as used; None when it is not kept."""
        found = self._values.get(key)
        if found is None:
            self._use.misses += 1
            return None
        self._use.hits += 1
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep `value`, dropping what was unused for longest until it fits. Put a value that grew again."""
        self.drop(key)
        size = self._size(value) + OVERHEAD
        if size > self._limit:
            return
        self._values[key] = (value, size)
        self.bytes += size
        while self.bytes > self._limit:
            _, (_, old) = self._values.popitem(last=False)
            self.bytes -= old

    def drop(self, key: Hashable) -> None:
        """Forget `key`, if it is kept."""
        found = self._values.pop(key, None)
        if found is not None:
            self.bytes -= found[1]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self.bytes = 0
