"""Evaluate a challenger on the test rows against the current champion, and apply the gate."""

from dataclasses import dataclass

from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.interval import Interval
from domain.model.card import Quality, RecentFigures, SegmentFigures, suppress_small_segments
from domain.model.gate.evidence import Evidence, Paired, Recent, Unscorable
from domain.model.gate.rules import Verdict, judge
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect
from domain.model.replay import Replay
from tabular.calibration import calibration_error_by_chance
from training_job.evaluation import card as cards
from training_job.evaluation.answers.answers import Answers
from training_job.evaluation.evaluation import (
    compare_pairwise,
    measure,
    measure_segments,
    represent,
)
from training_job.evaluation.incumbent import Incumbent
from training_job.model.objective import evaluate_constant


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures on the test rows and the verdict.

    `champion_metric`: None unless the champion was scored on the same rows.
    """

    incumbent: Incumbent
    measures: dict[str, Interval]
    segments: tuple[SegmentFigures, ...]
    verdict: Verdict
    champion_metric: float | None
    recent: RecentFigures | None

    @property
    def quality(self) -> Quality:
        """Its part of the model card."""
        return cards.evaluation_section(
            self.measures, self.segments, self.verdict, self.incumbent.version
        )


def evaluate_against(
    incumbent: Incumbent,
    answers: Answers,
    contract: Contract,
    *,
    limits: GateLimits,
    earlier_verdicts: int,
    recent: Recent | None = None,
    replay: Replay | None = None,
    left_out: LeftOut,
    missing: tuple[MissingEffect, ...],
    seed: int,
) -> Evaluation:
    """Measure the challenger by its answers to the test rows, and compare it with the champion.

    `earlier_verdicts`: on these test rows since the last promotion. `recent`: what production rows
    show, `replay`: what changes for logged requests. `seed`: of the bootstrap, so that a
    repeated step reaches the same verdict.
    """
    masks, weights, counts = answers.masks(contract), answers.weights, answers.counts
    objective, truth, scores = contract.objective, answers.labels, answers.scores
    threshold = answers.threshold
    measures = measure(
        truth, scores, threshold, objective=objective, seed=seed, weights=weights, counts=counts
    )
    champion: Paired | Unscorable | None = incumbent.unscorable
    if incumbent.bundle is not None and incumbent.champion is not None:
        champion = compare_pairwise(
            truth,
            answers.predicted,
            answers.champion,
            masks,
            objective=objective,
            segment_metric=limits.segment_metric,
            thresholds=(threshold, incumbent.bundle.threshold),
            version=incumbent.champion.version,
            seed=seed,
            weights=weights,
            counts=counts,
        )
    kept, rows = represent(truth, weights, counts, seed=seed)
    evidence = Evidence(
        objective=objective,
        figures=measures,
        constant=evaluate_constant(
            objective, truth, counts if weights is None else weights * counts
        ),
        chance_calibration_error=calibration_error_by_chance(
            truth[kept], scores[kept], seed=seed, counts=rows
        ),
        champion=champion,
        earlier_verdicts=earlier_verdicts,
        left_out=left_out,
        missing=missing,
    )
    return Evaluation(
        incumbent,
        measures,
        suppress_small_segments(
            measure_segments(
                truth, scores, threshold, masks, seed=seed, weights=weights, counts=counts
            ),
            rows=answers.rows,
        ),
        judge(evidence, limits, recent, replay),
        champion.value if isinstance(champion, Paired) else None,
        cards.recent_section(recent, limits),
    )
