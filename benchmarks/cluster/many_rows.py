"""Measure the memory of two workers that prepare twenty million made-up rows and train on them.

The training has 20 rounds: more take more time and no more memory.
``python -m benchmarks.cluster.many_rows``.
"""

import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cluster.measure import make_options
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, main, measure_alone, read_peak
from benchmarks.scale import PARAMS
from domain import keys
from ops.commands.data import sample_data

ROWS = 20_000_000
FILES = 20
WORKERS = 2
ROUNDS = 20


def measure(seed: int) -> Iterator[Figure]:
    """Measure the largest worker's peak after each of both steps."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        raw = folder / "data" / keys.RAW
        raw.mkdir(parents=True)
        for number in range(FILES):
            path = raw / f"{number}.csv"
            sample_data.make(rows=ROWS // FILES, seed=seed + number, path=path)
        (prepared, fitted), _, step = measure_alone(_work, folder)
        yield Figure("20 M rows, 2 workers: largest peak, prepare", prepared / 1e9, "GB", "<= 2.5")
        yield Figure("20 M rows, 2 workers: largest peak, fit", fitted / 1e9, "GB", "<= 2.5")
        yield Figure("20 M rows, 2 workers: peak of the step", step / 1e9, "GB")


def _work(folder: Path) -> tuple[tuple[int, int], float]:
    from benchmarks.cluster.worker_processes import running
    from training_job.dataset.partitioned.prepare import prepare
    from training_job.evaluation.final import fit_final_on
    from training_job.model import cluster_fit

    cluster_fit.MAXIMUM_ROUNDS = ROUNDS  # type: ignore[attr-defined]  # imported there
    options = make_options(folder)
    data = functools.partial(FolderS3(folder).bucket, "data")
    with running(WORKERS) as (cluster, _):
        made = prepare(**options, cluster=cluster, open_bucket=data)
        prepared = max(cluster.client.run(read_peak).values())
        fit_final_on(
            options["bucket"],
            made.dataset_id,
            options["contract"],
            PARAMS,
            seed=1,
            cluster=cluster,
            open_data=data,
        )
        return (prepared, max(cluster.client.run(read_peak).values())), 0.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main("cluster.many_rows", measure)
