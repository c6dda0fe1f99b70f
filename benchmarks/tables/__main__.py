"""``python -m benchmarks.tables``: tables at the limits that docs/data-and-scoring.md states.

`--only NAME` measures one of them.
"""

import os
import sys

from benchmarks.harness import main
from benchmarks.tables.limits import CASES, measure

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = list(CASES)
    if "--only" in sys.argv:
        place = sys.argv.index("--only")
        chosen = [sys.argv[place + 1]]
        del sys.argv[place : place + 2]
    main("tables", lambda seed: measure(chosen, seed))
