"""Prove that an exported model scores as XGBoost does, before it can be used."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xgboost as xgb

from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bundle import Bundle
from training_job.dataset.dataset import BATCH_ROWS, Split
from training_job.errors import ExportDisagrees
from training_job.model.encoding import encode, rows_per_batch
from training_job.model.model import Probabilities, predict

TOLERANCE = 1e-6


def prove(bundle: Bundle, booster: xgb.Booster, test: Split) -> int:
    """Compare both scorers on every row, then again with one nullable feature of each row missing.

    Returns the number of comparisons; raises ExportDisagrees above a difference of 1e-6.
    """
    compared = 0
    for part in test.batches(min(BATCH_ROWS, rows_per_batch(bundle.contract))):
        for rows in (part, _blank_in_turns(part, bundle.contract)):
            expected = predict(booster, encode(rows.table, bundle.contract))
            check_agreement(bundle, rows.rows(bundle.contract), expected)
            compared += len(expected)
    return compared


def check_agreement(
    bundle: Bundle, rows: Iterable[tuple[Value, ...]], expected: Probabilities
) -> None:
    """`rows`: features in the contract's order, as many as probabilities."""
    scored = np.fromiter((bundle.probability(row) for row in rows), np.float64, len(expected))
    difference = float(np.max(np.abs(scored - expected), initial=0.0))
    if not difference <= TOLERANCE:
        raise ExportDisagrees(
            f"The exported model differs from XGBoost by {difference:.2g} on the test rows, more "
            f"than {TOLERANCE:g}: this XGBoost version can't be exported. Nothing was registered."
        )


def _blank_in_turns(split: Split, contract: Contract) -> Split:
    """Blank one nullable feature of each row, in turn; without such a feature, no rows."""
    nullable = [feature.name for feature in contract.features if feature.nullable]
    table = split.table if nullable else split.table.slice(0, 0)
    turns = np.arange(table.num_rows) % max(len(nullable), 1)
    for turn, name in enumerate(nullable):
        column = table.column(name)
        values = pc.if_else(pa.array(turns == turn), pa.scalar(None, column.type), column)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return Split(table, split.labels[: table.num_rows])
