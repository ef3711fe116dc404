"""``python -m bench [serving|events|accuracy ...]``: measure, print, write ``bench/results.json``.

Without names everything but `accuracy` is measured, which takes long and is asked for by name. Exit status
1 when a target is missed.
"""

from __future__ import annotations

import sys
from importlib import import_module

from .results import Row, show, write

MODULES = ("serving", "events", "accuracy")
USUAL = ("serving", "events")


def main(names: list[str]) -> int:
    """Run the named modules' ``run()``, each giving its rows."""
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        print(f"There is no bench {', '.join(unknown)}; there are {', '.join(MODULES)}.")
        return 2
    rows: list[Row] = []
    for name in names or USUAL:
        print(f"{name} ...", flush=True)
        found = import_module(f"bench.{name}").run()
        show(found)
        write(found)
        rows += found
    return 0 if all(one.ok is not False for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
