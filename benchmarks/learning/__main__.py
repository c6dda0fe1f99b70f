"""Measure how the loop learns from its own production: ``python -m benchmarks.learning``.

`--only NAME` runs one of the measurements.
"""

import sys
from collections.abc import Callable, Iterator

from benchmarks.harness import Figure, main
from benchmarks.learning import (
    label_budget,
    repeated_challengers,
    replay,
    selective_labels,
    witnesses,
)

MEASUREMENTS: dict[str, Callable[[int], Iterator[Figure]]] = {
    "selective_labels": selective_labels.measure,
    "witnesses": witnesses.measure,
    "repeated_challengers": repeated_challengers.measure,
    "replay": replay.measure,
    "label_budget": label_budget.measure,
}


def measure(seed: int) -> Iterator[Figure]:
    """All of them, one after the other."""
    for each in MEASUREMENTS.values():
        yield from each(seed)


if __name__ == "__main__":
    chosen: Callable[[int], Iterator[Figure]] = measure
    if "--only" in sys.argv:
        place = sys.argv.index("--only")
        chosen = MEASUREMENTS[sys.argv[place + 1]]
        del sys.argv[place : place + 2]
    main("learning", chosen)
