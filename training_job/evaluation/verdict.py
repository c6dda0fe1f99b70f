"""The judgement: the challenger's figures, the champion on the same rows, and the gate's word."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.contract.contract import Contract
from domain.interval import Interval
from domain.model import gate
from domain.model.left_out import LeftOut
from training_job.dataset.dataset import Split
from training_job.evaluation import card as cards
from training_job.evaluation.evaluation import compare, measures, segment_figures, segment_masks
from training_job.evaluation.incumbent import Incumbent
from training_job.model.model import Probabilities


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the test rows say, and the verdict. `champion_f1`: None unless it was scored on them."""

    incumbent: Incumbent
    measures: dict[str, Interval]
    segments: list[dict[str, Any]]
    verdict: gate.Verdict
    champion_f1: float | None

    def card(self) -> dict[str, Any]:
        """Its part of the model card."""
        champion = self.incumbent.champion
        version = champion.version if champion else None
        return cards.evaluation_section(self.measures, self.segments, self.verdict, version)


def evaluate_against(
    incumbent: Incumbent,
    test: Split,
    contract: Contract,
    *,
    probabilities: Probabilities,
    threshold: float,
    limits: gate.Limits,
    left_out: LeftOut,
    seed: int,
) -> Evaluation:
    """Measure the challenger by its `probabilities`, and let the gate compare it with who stands.

    `seed`: of the bootstrap, so that a repeated step comes to the same verdict.
    """
    masks = segment_masks(test.table, contract)
    found = measures(test.labels, probabilities, threshold, seed=seed)
    predicted = np.asarray(probabilities, dtype=np.float64) >= threshold
    champion: gate.Paired | gate.Unscorable | None = incumbent.unscorable
    if incumbent.bundle is not None and incumbent.champion is not None:
        champion = compare(
            test.labels,
            predicted,
            incumbent.predict(test.rows(contract)),
            masks,
            version=incumbent.champion.version,
            seed=seed,
        )
    evidence = gate.Evidence(
        f1=found["f1"],
        calibration_error=found["calibration_error"].value,
        champion=champion,
        left_out=left_out,
    )
    return Evaluation(
        incumbent,
        found,
        segment_figures(test.labels, predicted, masks, seed=seed),
        gate.judge(evidence, limits),
        champion.f1 if isinstance(champion, gate.Paired) else None,
    )
