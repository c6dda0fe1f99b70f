"""Read labelled predictions on workers: objects of the log are shared out, and samples added up.

The labels are read by one worker and sent to the others. Memory of a worker is that of
`tabular.labelled` on one machine: the labels, and a few samples of bounded size.
"""

from collections.abc import Sequence
from operator import itemgetter

from adapters.s3 import Listed, OpenBucket
from domain.contract.contract import Contract
from tabular.label_index import LabelIndexes
from tabular.labelled import (
    COVERAGE_ROWS,
    MOST_ROWS,
    LabelledRows,
    LabelledSample,
    find_labels,
    list_window,
    weigh_sample,
)
from tabular.log_objects import Damage, LogObjects
from tabular.models import Models
from tabular.sample import Sample
from training_job.cluster.cluster import Cluster
from training_job.dataset.partitioned.reading import choose_size, group


def read_labelled_on(
    *,
    log: LogObjects,
    models: Models,
    contract: Contract,
    start: int,
    end: int,
    now: int,
    cluster: Cluster,
    open_log: OpenBucket,
    open_models: OpenBucket,
    most_rows: int = MOST_ROWS,
    coverage_rows: int = COVERAGE_ROWS,
) -> LabelledRows:
    """See `tabular.labelled.read_labelled`; `open_log` and `open_models` make clients on a worker.

    The rows are the same, however the objects are shared out.
    """
    del models  # each worker opens its own
    reading = cluster.map(
        find_labels_on_worker, [start], now=now, contract=contract, open_log=open_log
    )
    labels, damages = (cluster.map(itemgetter(place), reading) for place in (0, 1))
    listed = list(list_window(log, start, end))
    groups = list(group(listed, choose_size(listed, cluster.workers)))
    parts = cluster.map(
        read_objects,
        groups,
        labels * len(groups),
        contract=contract,
        window=(start, end),
        limits=(coverage_rows, most_rows),
        open_log=open_log,
        open_models=open_models,
    )
    joined = cluster.reduce(LabelledSample.of_parts, parts)
    (damage,) = cluster.results(damages)
    unread = LabelledSample(Sample(coverage_rows), Sample(most_rows), damage=damage)
    found = cluster.results(joined)
    return weigh_sample(LabelledSample.of_parts([unread, *found]), contract)


def find_labels_on_worker(
    start: int, *, now: int, contract: Contract, open_log: OpenBucket
) -> tuple[LabelIndexes, Damage]:
    """On a worker: the labels, and what could not be used of them."""
    damage = Damage()
    return find_labels(
        LogObjects(open_log()), contract, start=start, now=now, damage=damage
    ), damage


def read_objects(
    entries: Sequence[Listed],
    labels: LabelIndexes,
    *,
    contract: Contract,
    window: tuple[int, int],
    limits: tuple[int, int],
    open_log: OpenBucket,
    open_models: OpenBucket,
) -> LabelledSample:
    """On a worker: read some objects. `limits`: rows of the sample of all, and of the labelled."""
    everyone, labelled = map(Sample, limits)
    found = LabelledSample(everyone, labelled)
    found.read(
        entries,
        labels,
        log=LogObjects(open_log()),
        models=Models(open_models()),
        contract=contract,
        start=window[0],
        end=window[1],
    )
    return found
