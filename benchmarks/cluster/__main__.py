"""``python -m benchmarks.cluster``."""

import os

from benchmarks.cluster.measure import measure
from benchmarks.harness import main

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main("cluster", measure)
