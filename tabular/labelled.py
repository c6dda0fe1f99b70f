"""The labelled predictions of a window, weighted so that they represent all of its predictions.

The labels are read first, then the log streams past them once. Memory holds the labels, a sample of
all predictions (for their coverage), and the labelled rows, of which at most `most_rows` are kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.s3 import Listed
from domain import times
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.drift.window import Window
from domain.errors import BadBundle
from domain.model.production import LabelCoverage
from tabular import rows as log_rows
from tabular.classification import Floats
from tabular.coverage import weigh
from tabular.label_index import LabelIndexes, read_labels
from tabular.labels import UNKNOWN, Labels
from tabular.log_objects import Damage, LogObjects, touched_days
from tabular.models import Models
from tabular.sample import Sample, SampledRows

MOST_ROWS = 1_000_000
"""If there are more labelled predictions, a sample by `sample_key` is kept."""
COVERAGE_ROWS = 200_000
"""The coverage is estimated from at most so many predictions."""
ANSWER = {"predicted": pa.bool_(), "source": pa.string()}
"""Columns of the log that are kept beside those of `tabular.rows`."""
_COVERAGE_COLUMNS = (
    "prediction_id",
    "predicted_at",
    "sample_key",
    "probability",
    "predicted",
    "label",
)


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Labelled predictions, each once.

    `table`: the log's columns by their own names, with ``model_version``, ``predicted`` and
    ``source``; null means missing, and see `tabular.rows` for what is invalid. `labels` and
    `weights`: of each row. `other_contract`: labelled predictions that can't be read as rows of
    this contract.
    """

    table: pa.Table
    labels: Labels
    weights: Floats
    coverage: LabelCoverage
    other_contract: int
    damage: Damage


@dataclass
class LabelledSample:
    """Rows of the window as they are read: a sample of all, and one of those that have a label."""

    everyone: Sample
    labelled: Sample
    other_contract: int = 0
    damage: Damage = field(default_factory=Damage)

    @classmethod
    def of_parts(cls, parts: Sequence[Self]) -> Self:
        """What all parts have read, which are left as they are."""
        found = cls(
            Sample.of_parts([part.everyone for part in parts]),
            Sample.of_parts([part.labelled for part in parts]),
            sum(part.other_contract for part in parts),
        )
        for part in parts:
            found.damage.add(part.damage)
        return found

    def read(
        self,
        entries: Iterable[Listed],
        labels: LabelIndexes,
        *,
        log: LogObjects,
        models: Models,
        contract: Contract,
        start: int,
        end: int,
    ) -> None:
        """Read these objects of the log, of which `list_window` lists all."""
        grouping = _grouping(contract)
        for version, rows in read_rows(
            entries,
            log=log,
            models=models,
            contract=contract,
            start=start,
            end=end,
            damage=self.damage,
        ):
            known = labels.find(rows)
            if not has_features(rows, contract):
                self.other_contract += int(np.count_nonzero(known != UNKNOWN))
                continue
            table = rows.append_column("label", pa.array(known)).append_column(
                "model_version", pa.repeat(version, rows.num_rows)
            )
            self.everyone.add(table.select([*_COVERAGE_COLUMNS, *grouping]))
            self.labelled.add(table.filter(pc.not_equal(table["label"], UNKNOWN)))


def read_labelled(
    *,
    log: LogObjects,
    models: Models,
    contract: Contract,
    start: int,
    end: int,
    now: int,
    most_rows: int = MOST_ROWS,
    coverage_rows: int = COVERAGE_ROWS,
) -> LabelledRows:
    """Read the predictions of ``[start, end)`` that have a label by `now` (UTC milliseconds).

    `contract`: the one under which the rows are wanted.
    """
    found = LabelledSample(Sample(coverage_rows), Sample(most_rows))
    labels = find_labels(log, contract, start=start, now=now, damage=found.damage)
    entries = list_window(log, start, end)
    found.read(entries, labels, log=log, models=models, contract=contract, start=start, end=end)
    return weigh_sample(found, contract)


def find_labels(
    log: LogObjects, contract: Contract, *, start: int, now: int, damage: Damage
) -> LabelIndexes:
    """The labels that predictions from `start` on may have."""
    # A label by reference may be older than its prediction.
    since = 0 if contract.context_column("reference") else start
    return read_labels(log=log, start=since, now=now, damage=damage)


def list_window(log: LogObjects, start: int, end: int) -> Iterator[Listed]:
    """The objects of the log that may hold predictions of ``[start, end)``."""
    window = Window(times.from_millis(start), times.from_millis(end))
    stored = set(log.list_days())  # so that the days of a long window aren't listed one by one
    days = [day for day in touched_days(window.days()) if day in stored]
    return log.list_objects(days, since=start)


def stream_rows(
    *, log: LogObjects, models: Models, contract: Contract, start: int, end: int, damage: Damage
) -> Iterator[tuple[str, pa.Table]]:
    """Yield ``(version, rows)`` of the window as rows of `contract`, see `read_rows`."""
    return read_rows(
        list_window(log, start, end),
        log=log,
        models=models,
        contract=contract,
        start=start,
        end=end,
        damage=damage,
    )


def read_rows(
    entries: Iterable[Listed],
    *,
    log: LogObjects,
    models: Models,
    contract: Contract,
    start: int,
    end: int,
    damage: Damage,
) -> Iterator[tuple[str, pa.Table]]:
    """Yield ``(version, rows)`` of some objects of the log as rows of `contract`.

    A version whose own contract lacks a required feature yields rows without any feature.
    """
    wanted = (*contract.features, *contract.segment_context)
    columns = frozenset({*log_rows.READ_COLUMNS, *ANSWER, *(f.column for f in wanted)})

    def features(version: str) -> tuple[Feature, ...] | None:
        if version not in models.versions:
            return None
        return wanted if _fits(models, version, contract) else ()

    for version, table in log_rows.read_usable(
        log.read_batches(entries, damage, columns=columns),
        start=start,
        end=end,
        features=features,
        damage=damage,
        others=ANSWER,
    ):
        yield (
            version,
            table.set_column(
                table.column_names.index("predicted"),
                "predicted",
                pc.fill_null(table["predicted"], False),
            ),
        )


def _grouping(contract: Contract) -> list[str]:
    """The log's columns that define segments."""
    return list(dict.fromkeys(group.feature.column for group in contract.segment_groups))


def has_features(table: pa.Table, contract: Contract) -> bool:
    """Whether rows of `stream_rows` can be read as rows of this contract."""
    return contract.features[0].column in table.column_names


def _fits(models: Models, version: str, contract: Contract) -> bool:
    """Whether a version's rows have what this contract requires of a row."""
    try:
        theirs = models.bundle(version).contract
    except BadBundle:
        return False
    kinds = {feature.name: feature.kind for feature in theirs.features}
    return all(
        kinds.get(feature.name, feature.kind if feature.nullable else None) == feature.kind
        for feature in contract.features
    )


def weigh_sample(found: LabelledSample, contract: Contract) -> LabelledRows:
    """The sampled rows that have a label, weighted by the coverage in the sample of all."""
    everyone = found.everyone.finish() if found.everyone.logged else SampledRows()
    if not found.labelled.logged:
        nothing = LabelCoverage(predictions=everyone.distinct, labelled=0, positives=0, share=0.0)
        empty: Labels = np.empty(0, np.int8)
        return LabelledRows(
            pa.table({}), empty, np.empty(0), nothing, found.other_contract, found.damage
        )
    labelled = found.labelled.finish()
    labels: Labels = labelled.table["label"].to_numpy()
    weighed = weigh(
        sample=everyone.table,
        sample_labels=everyone.table["label"].to_numpy(),
        rows=labelled.table,
        labels=labels,
        predictions=everyone.distinct,
        contract=contract,
    )
    return LabelledRows(
        labelled.table.drop_columns(["label"]),
        labels,
        weighed.weights,
        weighed.coverage,
        found.other_contract,
        found.damage,
    )
