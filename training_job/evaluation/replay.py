"""Replay: the challenger answers a sample of the logged requests, whether they have labels or not.

The log is streamed once, on one machine or by the workers of a cluster. A sample by `sample_key`
bounds the memory and the scoring, whatever the number of requests; each request is in it once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.s3 import Listed, OpenBucket
from domain.contract.contract import Contract
from domain.contract.feature import OTHER
from domain.drift.disclosure import choose_suppressed
from domain.model.replay import Replay, ReplayedGroup
from tabular.classification import Bools, Floats
from tabular.labelled import has_features, list_window, read_rows
from tabular.log_objects import Damage, LogObjects
from tabular.models import Models
from tabular.sample import Sample, SampledRows
from tabular.segments import segment_masks
from training_job.dataset.dataset import Split
from training_job.dataset.partitioned.reading import choose_size, group
from training_job.evaluation.incumbent import Incumbent

if TYPE_CHECKING:
    from training_job.cluster.cluster import Cluster

SAMPLE_ROWS = 100_000
"""Requests in the sample: enough to measure a share of changed answers to within 0.3 %."""

Score = Callable[[Split], Floats]


@dataclass(frozen=True, slots=True)
class LoggedRequests:
    """The requests of ``[start, end)`` (UTC milliseconds)."""

    log: LogObjects
    models: Models
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SampledRequests:
    """Some requests of ``[start, end)``, by the log's own names. `logged`: how many there are."""

    start: int
    end: int
    table: pa.Table
    logged: int

    @classmethod
    def of(cls, requests: LoggedRequests, sample: Sample) -> Self:
        """Finish the sample of these requests."""
        found = sample.finish() if sample.logged else SampledRows()
        return cls(requests.start, requests.end, found.table, found.distinct)


SampleRequests = Callable[..., SampledRequests]
"""`sample_requests`, or another function of the same arguments."""


def sample_requests(
    requests: LoggedRequests, contract: Contract, *, most_rows: int = SAMPLE_ROWS
) -> SampledRequests:
    """Stream the log once."""
    entries = list_window(requests.log, requests.start, requests.end)
    return SampledRequests.of(requests, _sample(entries, requests, contract, most_rows))


def sample_requests_on(
    requests: LoggedRequests,
    contract: Contract,
    *,
    cluster: "Cluster",
    open_log: OpenBucket,
    open_models: OpenBucket,
    most_rows: int = SAMPLE_ROWS,
) -> SampledRequests:
    """The same on a cluster; `open_log` and `open_models` make clients on a worker."""
    listed = list(list_window(requests.log, requests.start, requests.end))
    parts = cluster.map(
        sample_objects,
        list(group(listed, choose_size(listed, cluster.workers))),
        contract=contract,
        window=(requests.start, requests.end),
        most_rows=most_rows,
        open_log=open_log,
        open_models=open_models,
    )
    found = cluster.results(cluster.reduce(Sample.of_parts, parts))
    return SampledRequests.of(requests, Sample.of_parts([Sample(most_rows), *found]))


def sample_objects(
    entries: Sequence[Listed],
    *,
    contract: Contract,
    window: tuple[int, int],
    most_rows: int,
    open_log: OpenBucket,
    open_models: OpenBucket,
) -> Sample:
    """On a worker: the sample of some objects of the log."""
    requests = LoggedRequests(LogObjects(open_log()), Models(open_models()), *window)
    return _sample(entries, requests, contract, most_rows)


def _sample(
    entries: Iterable[Listed], requests: LoggedRequests, contract: Contract, most_rows: int
) -> Sample:
    sample = Sample(most_rows)
    for version, rows in read_rows(
        entries,
        log=requests.log,
        models=requests.models,
        contract=contract,
        start=requests.start,
        end=requests.end,
        damage=Damage(),
    ):
        if has_features(rows, contract):
            sample.add(rows.append_column("model_version", pa.repeat(version, rows.num_rows)))
    return sample


def replay(
    requests: SampledRequests,
    contract: Contract,
    incumbent: Incumbent,
    *,
    score: Score,
    threshold: float,
) -> Replay | None:
    """Compare the challenger's answers, by its `score` and `threshold`, with the champion's.

    Requests that another version answered are answered by the champion's bundle. None without a
    champion, or a request that it has an answer to.
    """
    if not requests.logged or incumbent.champion is None:
        return None
    rows = _keep_valid(_rename(requests.table, contract), contract)
    before, scores_before = _read_answers(rows)
    own = np.asarray(rows.table["model_version"].to_numpy() == incumbent.version, bool)
    if incumbent.bundle is not None and not own.all():
        others = Split(rows.table.filter(pa.array(~own)), rows.labels[~own])
        scores_before[~own] = incumbent.score(others)
        before[~own] = scores_before[~own] >= incumbent.bundle.threshold
    elif not own.all():
        rows = Split(rows.table.filter(pa.array(own)), rows.labels[own])
        before, scores_before = before[own], scores_before[own]
    if not len(before):
        return None
    scores = score(rows)
    shift, after = scores - scores_before, scores >= threshold
    masks = segment_masks(rows.table, contract)
    hidden = {
        name
        for group in contract.segment_groups
        for name in choose_suppressed({n: int(masks[n].sum()) for n in group.labels if n in masks})
    }
    whole = _summarise(before, after, shift)
    return Replay(
        start=requests.start,
        end=requests.end,
        logged=requests.logged,
        rows=whole.rows,
        changed=whole.changed,
        to_positive=whole.to_positive,
        score_shift=whole.score_shift,
        segments={
            name: _summarise(before[mask], after[mask], shift[mask])
            for name, mask in masks.items()
            if mask.any() and name not in hidden
        },
    )


def _summarise(before: Bools, after: Bools, shift: Floats) -> ReplayedGroup:
    return ReplayedGroup(
        rows=len(before),
        changed=float((before != after).mean()),
        to_positive=float((after & ~before).mean()),
        score_shift=float(shift.mean()),
    )


def _read_answers(rows: Split) -> tuple[Bools, Floats]:
    answers = np.array(rows.table["predicted"].to_numpy(), bool)
    return answers, np.array(rows.table["probability"].to_numpy(), np.float64)


def _rename(logged: pa.Table, contract: Contract) -> pa.Table:
    """The log's columns under the contract's own names."""
    names = {f.column: f.name for f in (*contract.features, *contract.segment_context)}
    return logged.rename_columns([names.get(name, name) for name in logged.column_names])


def _keep_valid(table: pa.Table, contract: Contract) -> Split:
    """Rows whose features obey the contract; their labels are placeholders."""
    good = np.ones(table.num_rows, bool)
    for feature in contract.features:
        column = table[feature.name]
        if feature.collects_rest:
            bad = pc.equal(column, pa.scalar(""))  # any text is a value, a null stays a null
        else:
            bad = pc.equal(column, OTHER) if feature.kind == "category" else pc.is_nan(column)
        bad = pc.fill_null(bad, not feature.nullable)
        good &= ~np.asarray(bad.to_numpy(), bool)
    kept = table.filter(pa.array(good))
    return Split(kept, np.zeros(kept.num_rows, np.int8))
