"""``python -m bench [serving|events|jobs ...]``: measure, print, write ``bench/results.json``.

Without names all three. Whether targets are reached is in the rows; the exit status is 0 when all was
measured. Accuracy needs public data sets and is a program of its own, ``python -m bench.accuracy FOLDER``.
"""

from __future__ import annotations

import sys
from importlib import import_module

from .results import show, write

MODULES = ("serving", "events", "jobs")


def main(names: list[str]) -> int:
    """Run the named modules' ``run()``, each giving its rows."""
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        print(f"There is no bench {', '.join(unknown)}; there are {', '.join(MODULES)}.")
        return 2
    for name in names or MODULES:
        print(f"{name} ...", flush=True)
        rows = import_module(f"bench.{name}").run()
        show(rows)
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
