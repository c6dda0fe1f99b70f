"""What rows and predictions take: measured rates, each with the benchmark that measures it.

All were measured on one core of the same machine, with the shipped contract (eight features).
"""

from typing import NamedTuple


class Rate(NamedTuple):
    """`value` in `unit`, as `python -m benchmarks.<benchmark>` reports it under `figure`."""

    value: float
    unit: str
    benchmark: str
    figure: str


RATES = {
    "prepare": Rate(889_552, "rows/s", "scale", "prepare, 10 M rows: rows/s per core"),
    "prepare memory, 1 M rows": Rate(0.380, "GB", "scale", "prepare: peak memory"),
    "prepare memory, 10 M rows": Rate(1.145, "GB", "scale", "prepare: peak memory"),
    "a trial": Rate(0.9102, "s for 100,000 rows", "search_speed", "seconds per trial, one process"),
    "evaluate": Rate(203.0, "s for 10 million rows", "scale", "evaluate: CPU seconds"),
    "evaluate memory, 1 M rows": Rate(0.461, "GB", "scale", "evaluate: peak memory"),
    "evaluate memory, 10 M rows": Rate(1.441, "GB", "scale", "evaluate: peak memory"),
    "score": Rate(632_881, "rows/s", "scale", "scoring, file to file: rows/s per core"),
    "score memory": Rate(0.4055, "GB", "scale", "scoring: peak memory"),
    "prepare on a worker": Rate(1.55, "CPU s for a million rows", "cluster", "workers: prepare"),
    "fit on a worker": Rate(16.8, "CPU s for a million rows", "cluster", "workers: fit"),
    "answer test rows on a worker": Rate(
        9.3, "CPU s for a million test rows", "cluster", "workers: answer the test rows"
    ),
    "step memory for answers": Rate(0.84, "GB", "cluster", "step: peak memory"),
    "worker memory, 1 M rows": Rate(0.515, "GB", "cluster", "workers: largest peak"),
    "worker memory, 10 M rows": Rate(
        2.164, "GB", "cluster.many_rows", "20 M rows, 2 workers: largest peak, fit"
    ),
    "read the log": Rate(996_522, "rows/s", "drift", "reading and sampling, rows per CPU second"),
    "drift run": Rate(6.4, "s", "drift", "100,000 rows with labels end to end, 2 cores"),
    "drift run memory": Rate(0.505, "GB", "monitoring.cost", "peak"),
}

GPU = (
    ("100,000", "0.16 s", "0.23 s"),
    ("1,000,000", "0.22 s", "1.3 s"),
    ("10,000,000", "0.72 s", "20.4 s"),
    ("100,000,000", "5.8 s", "-"),
)
"""(rows, one H100, the 16 CPU cores beside it): 100 rounds of depth 6 over 15 columns, once, with
`xgboost` itself. Building the matrix from the host's memory is not in it, and takes longer."""
