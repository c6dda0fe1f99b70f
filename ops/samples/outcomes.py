"""Which of the sent predictions get a label: a share of them, selectively, and not always right."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Selection(StrEnum):
    """Whose label comes back."""

    RANDOM = "random"
    """Everybody's is as likely."""
    SCORE = "score"
    """That of a predicted positive is three times as likely: what looks suspicious is examined."""
    POSITIVES = "positives"
    """Only positive outcomes are ever reported."""


SCORED_TIMES = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """How labels come back: of a `share` of the predictions, `noise` of them wrong.

    They are sent `delay_seconds` after the predictions.
    """

    share: float
    selection: Selection = Selection.RANDOM
    noise: float = 0.0
    delay_seconds: float = 0.0

    def choose(
        self,
        predictions: Sequence[Mapping[str, Any]],
        outcomes: Sequence[bool],
        *,
        target: str,
        rng: random.Random,
    ) -> list[dict[str, Any]]:
        """The labels for some answers of the API, as it takes them.

        `outcomes`: the true one of each prediction. `target`: its name.
        """
        found = []
        for prediction, outcome in zip(predictions, outcomes, strict=True):
            is_chosen = rng.random() < self._chance(bool(prediction[target]), outcome)
            is_wrong = rng.random() < self.noise
            if is_chosen:
                label = {"prediction_id": prediction["prediction_id"], target: outcome != is_wrong}
                found.append(label)
        return found

    def _chance(self, predicted: bool, outcome: bool) -> float:
        if self.selection is Selection.POSITIVES and not outcome:
            return 0.0
        more = self.selection is Selection.SCORE and predicted
        return min(1.0, self.share * (SCORED_TIMES if more else 1.0))
