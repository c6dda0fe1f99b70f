"""Prove that an exported model scores as XGBoost does, before it can be used.

Three steps, from the code that answers requests to XGBoost:

1. The scorer, which walks one row, the walk for the rows of a request and the one for whole
   matrices send a row the same way at each branch of each tree: just below the threshold, at it,
   and with the value missing. All compare two float32 numbers, so no other value can be sent
   another way.
2. The walk for matrices agrees with XGBoost on every test row, then again with one nullable feature
   of each row missing.
3. Encoder and scorer as they are shipped agree with XGBoost on the first of these rows.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xgboost as xgb

from domain.contract.contract import Contract
from domain.model.bitmaps import margins
from domain.model.bundle import Bundle
from domain.model.scorer import LEAF, Forest
from training_job.dataset.dataset import Split
from training_job.errors import ExportDisagrees
from training_job.model.encoding import encode, rows_per_batch
from training_job.model.model import Probabilities, predict
from training_job.model.walk import Walk

TOLERANCE = 1e-6
SHIPPED_ROWS = 5_000
"""Rows that are encoded and scored one by one."""


def prove(bundle: Bundle, booster: xgb.Booster, test: Split) -> int:
    """Return the number of rows compared with XGBoost; ExportDisagrees above a difference of 1e-6.

    `booster`: what `bundle` was exported from.
    """
    check_branches(bundle.forest, len(bundle.contract.encoded_names))
    proof = Proof(bundle, booster)
    for rows in test.batches(rows_per_batch(bundle.contract)):
        proof.score(rows)
    return proof.compared


class Proof:
    """The second and third step, batch by batch.

    `start`: the first row's number, counted over all batches of this side of the split.
    """

    def __init__(self, bundle: Bundle, booster: xgb.Booster, *, start: int = 0) -> None:
        self._bundle, self._booster = bundle, booster
        self._walk = Walk(bundle.forest)
        self._shipped = max(SHIPPED_ROWS - start, 0)
        self.compared = 0

    def score(self, part: Split) -> Probabilities:
        """XGBoost's probabilities of the next rows; raises ExportDisagrees."""
        found = self._compare(part)
        self._compare(_blank_in_turns(part, self._bundle.contract))
        self._shipped = max(self._shipped - len(part.labels), 0)
        return found

    def _compare(self, rows: Split) -> Probabilities:
        contract, shipped = self._bundle.contract, self._shipped
        matrix = encode(rows.table, contract)
        expected = predict(self._booster, matrix)
        check_agreement(self._walk.probabilities(matrix), expected)
        first = Split(rows.table.slice(0, shipped), rows.labels[:shipped])
        answers = [self._bundle.probability(row) for row in first.rows(contract)]
        check_agreement(np.array(answers), expected[:shipped])
        self.compared += len(expected)
        return expected


def check_agreement(scored: npt.NDArray[np.float64], expected: npt.NDArray[np.floating]) -> None:
    """Compare probabilities of the same rows; raises ExportDisagrees."""
    difference = float(np.max(np.abs(scored - expected), initial=0.0))
    if not difference <= TOLERANCE:
        raise ExportDisagrees(
            f"The exported model differs from XGBoost by {difference:.2g} on the test rows, more "
            f"than {TOLERANCE:g}: this XGBoost version can't be exported. Nothing was registered."
        )


def check_branches(forest: Forest, columns: int) -> None:
    """Send rows through every branch of every tree in all three ways; raises ExportDisagrees."""
    for tree in _trees(forest):
        rows = np.array([*_rows_of_branches(tree, columns)], np.float32).reshape(-1, columns)
        vectors = rows.tolist()
        scored = [tree.margin(vector) for vector in vectors]
        if not scored == margins(tree, vectors) == Walk(tree).margins(rows).tolist():
            raise ExportDisagrees(
                "A row alone and among others is sent different ways through the trees: the code "
                "is damaged. Nothing was registered; report this as a defect."
            )


def _trees(forest: Forest) -> Iterator[Forest]:
    """Each tree as a forest of its own."""
    ends = (*forest.roots[1:], len(forest.feature))
    for start, end in zip(forest.roots, ends, strict=True):
        nodes = slice(start, end)
        yield Forest(
            base_margin=0.0,
            roots=(0,),
            feature=forest.feature[nodes],
            threshold=forest.threshold[nodes],
            left=tuple(child - start for child in forest.left[nodes]),
            right=tuple(child - start for child in forest.right[nodes]),
            default_left=forest.default_left[nodes],
            cover=forest.cover[nodes],
        )


def _rows_of_branches(tree: Forest, columns: int) -> Iterator[list[float]]:
    """Three rows per inner node that reach it: below its threshold, at it, and missing.

    A later bound on a column lies within the earlier ones, so the latest value satisfies them all.
    """
    pending = [(tree.roots[0], [0.0] * columns)]
    while pending:
        node, row = pending.pop()
        column = tree.feature[node]
        if column == LEAF:
            continue
        at = np.float32(tree.threshold[node])
        below, there, missing = (
            [*row[:column], value, *row[column + 1 :]]
            for value in (float(np.nextafter(at, np.float32(-np.inf))), float(at), float("nan"))
        )
        yield from (below, there, missing)
        pending += [(tree.left[node], below), (tree.right[node], there)]


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
