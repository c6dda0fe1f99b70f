"""What workers read of the log is what one machine reads, however it is shared out."""

import itertools
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys, times
from domain.contract.contract import Contract
from tabular.labelled import read_labelled
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.unit.labelled_log import END, ROWS, START, Story
from tests.unit.monitoring import DAY, log, records
from training_job.cluster.cluster import Cluster
from training_job.dataset.partitioned.production import read_labelled_on
from training_job.evaluation.replay import (
    LoggedRequests,
    sample_requests,
    sample_requests_on,
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the log: where its rows are cut into objects, how many are there twice, and the
    share of the positive answers that have a label.
    """

    cuts: list[int]
    copies: int
    labelled: float
    seed: int

    def store(self, folder: Path, contract: Contract) -> Bucket:
        """Write the day, with damage in it."""
        bucket = FolderS3(folder).bucket("unit")
        story = Story(bucket, contract)
        chance = np.where(story.frame["predicted"], self.labelled, 0.4 * self.labelled)
        story.label(np.random.default_rng(self.seed).random(ROWS) < chance)
        table = records(story.frame, contract, version=story.version, at=START)
        for entry in bucket.list(keys.stream("log", DAY.date())):
            (folder / "unit" / entry.key).unlink()
        pieces = itertools.pairwise(sorted({0, *self.cuts, ROWS}))
        for number, (first, last) in enumerate(pieces):
            log(bucket, table.slice(first, last - first), name=f"{number:02}")
        log(bucket, table.slice(0, self.copies), name="copies")
        lines = [json.dumps(row) for row in table.slice(self.copies, 20).to_pylist()]
        bucket.put(keys.fallback("log", DAY.date(), "a"), "\n".join([*lines, "{"]).encode())
        bucket.put(f"{keys.stream('log', DAY.date())}damaged.parquet", b"PAR1 and nothing else")
        nobody = pa.repeat("7-00000000", 30)
        place = table.column_names.index("model_version")
        log(bucket, table.slice(0, 30).set_column(place, "model_version", nobody), name="nobody")
        return bucket


DAYS = st.builds(
    Day,
    cuts=st.lists(st.integers(0, ROWS), max_size=12),
    copies=st.integers(0, 500),
    labelled=st.sampled_from([0.0, 0.05, 0.6]),
    seed=st.integers(0, 9),
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(day=DAYS, most_rows=st.sampled_from([400, 100_000]))
def test_any_objects_of_the_log_are_read_as_on_one_machine(
    tmp_path: Path, contract: Contract, cluster: Cluster, day: Day, most_rows: int
) -> None:
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    bucket = day.store(folder, contract)
    opened = partial(FolderS3(folder).bucket, "unit")
    options: dict[str, Any] = {
        "log": LogObjects(bucket),
        "models": Models(bucket),
        "contract": contract,
        "start": START,
        "end": END,
        "now": END + times.DAY_MS,
        "most_rows": most_rows,
        "coverage_rows": 2 * most_rows,
    }
    here = read_labelled(**options)
    there = read_labelled_on(**options, cluster=cluster, open_log=opened, open_models=opened)
    assert here.table.equals(there.table.combine_chunks())
    assert np.array_equal(here.labels, there.labels)
    assert np.array_equal(here.weights, there.weights)
    assert here.coverage == there.coverage
    assert here.damage == there.damage
    assert here.damage.unreadable.total() == 1
    assert here.damage.malformed["model_version"] == 30
    assert bool(day.labelled) == bool(here.table.num_rows)
    requests = LoggedRequests(LogObjects(bucket), Models(bucket), START, END)
    one = sample_requests(requests, contract, most_rows=most_rows)
    where: dict[str, Any] = {"cluster": cluster, "open_log": opened, "open_models": opened}
    other = sample_requests_on(requests, contract, most_rows=most_rows, **where)
    assert one.table.equals(other.table.combine_chunks())
    assert (one.logged, one.start, one.end) == (other.logged, other.start, other.end)
    assert 0 < one.table.num_rows <= most_rows


def test_an_empty_log_has_no_production_rows(
    tmp_path: Path, contract: Contract, cluster: Cluster
) -> None:
    opened = partial(FolderS3(tmp_path).bucket, "unit")
    found = read_labelled_on(
        log=LogObjects(opened()),
        models=Models(opened()),
        contract=contract,
        start=START,
        end=END,
        now=END,
        cluster=cluster,
        open_log=opened,
        open_models=opened,
    )
    assert (0, 0) == (found.table.num_rows, found.coverage.predictions)
