"""The newest labelled production rows as a witness of the gate.

The challenger is scored on the logged features. The champion's answers are those that it gave; rows
that another version answered are scored with the champion's bundle, if that can be done.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.interval import Interval
from domain.model.gate.evidence import Evidence, Paired, Recent
from tabular.calibration import calibration_error_by_chance
from tabular.classification import Bools, Floats
from tabular.coverage import effective_rows
from tabular.segments import segment_masks
from training_job.dataset.dataset import Split
from training_job.evaluation.evaluation import compare_pairwise, measure, represent
from training_job.evaluation.incumbent import Incumbent
from training_job.evaluation.looks import EarlierVerdicts
from training_job.model.objective import evaluate_constant

PLACE = "Production"


@dataclass(frozen=True, slots=True)
class Witness:
    """What is compared: rows, the challenger's scores of them, and the champion's answers."""

    rows: Split
    scores: Floats
    threshold: float
    champion: Bools
    incumbent: Incumbent

    def only(self, kept: Bools) -> "Witness":
        """The same on some of the rows."""
        rows = Split(self.rows.table.filter(pa.array(kept)), self.rows.labels[kept])
        return replace(self, rows=rows, scores=self.scores[kept], champion=self.champion[kept])

    @property
    def predicted_at(self) -> npt.NDArray[np.int64]:
        """When each row was predicted (UTC milliseconds)."""
        return np.asarray(self.rows.table["predicted_at"].to_numpy(), np.int64)


def compare_on_recent(
    rows: Split,
    contract: Contract,
    incumbent: Incumbent,
    *,
    scores: Floats,
    threshold: float,
    limits: GateLimits,
    earlier: EarlierVerdicts,
    seed: int,
) -> Recent | None:
    """Compare the challenger with the champion on production rows.

    `scores`: the challenger's. Rows that no earlier verdict used are compared first, and all rows
    only if these can't decide. None without a champion, or without a row that it has an answer to.
    """
    if incumbent.champion is None:
        return None
    answers, known = answer_logged(incumbent, rows)
    witness = Witness(rows, scores, threshold, answers, incumbent).only(known)
    fresh = witness.predicted_at >= earlier.used_until
    for kept in (fresh, np.ones(len(fresh), bool)):
        found = _compare(witness.only(kept), contract, limits, earlier, seed=seed)
        if found is not None and found.choose_role(limits) == "decides":
            return found
    return found


def answer_logged(incumbent: Incumbent, rows: Split) -> tuple[Bools, Bools]:
    """The champion's answer to each row, and whether it is known."""
    table = rows.table
    answers = np.asarray(table["predicted"].to_numpy(), bool)
    own = np.asarray(table["model_version"].to_numpy() == incumbent.version, bool)
    if incumbent.bundle is None or own.all():
        return answers, own
    others = Split(table.filter(pa.array(~own)), rows.labels[~own])
    answers = answers.copy()
    answers[~own] = incumbent.predict(others)
    return answers, np.ones(len(own), bool)


def _compare(
    witness: Witness,
    contract: Contract,
    limits: GateLimits,
    earlier: EarlierVerdicts,
    *,
    seed: int,
) -> Recent | None:
    """None where there is no row; without both classes nothing is measured."""
    rows, at = witness.rows, witness.predicted_at
    truth = rows.labels == 1
    if not len(truth) or witness.incumbent.champion is None:
        return None
    weights = rows.weights
    champion: Paired | None = None
    figures: dict[str, Interval] = {}
    constant, chance = 0.0, 0.0
    if 0 < np.count_nonzero(truth) < len(truth):
        figures, chance = _measure(witness, contract, weights, seed=seed)
        constant = evaluate_constant(contract.objective, truth, weights)
        bundle = witness.incumbent.bundle
        champion = compare_pairwise(
            rows.labels,
            witness.scores >= witness.threshold,
            witness.champion,
            segment_masks(rows.table, contract),
            objective=contract.objective,
            segment_metric=limits.segment_metric,
            thresholds=(witness.threshold, bundle.threshold if bundle else witness.threshold),
            version=witness.incumbent.champion.version,
            seed=seed,
            weights=weights,
        )
    start = int(at.min())
    return Recent(
        evidence=Evidence(
            objective=contract.objective,
            figures=figures,
            constant=constant,
            chance_calibration_error=chance,
            champion=champion,
            earlier_verdicts=earlier.count_on_production(),
            place=PLACE,
        ),
        labels=len(truth),
        positives=int(np.count_nonzero(truth)),
        effective_rows=float(len(truth)) if weights is None else effective_rows(weights),
        start=start,
        end=int(at.max()) + 1,
        fresh=start >= earlier.used_until,
    )


def _measure(
    witness: Witness, contract: Contract, weights: Floats | None, *, seed: int
) -> tuple[dict[str, Interval], float]:
    """``(figures, calibration error by chance)``."""
    truth, scores = witness.rows.labels == 1, witness.scores
    figures = measure(
        truth,
        scores,
        witness.threshold,
        objective=contract.objective,
        seed=seed,
        weights=weights,
    )
    kept, _ = represent(truth, weights, None, seed=seed)
    return figures, calibration_error_by_chance(truth[kept], scores[kept], seed=seed)
