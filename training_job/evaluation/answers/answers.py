"""What an evaluation needs of a side's rows: labels, scores, both models' answers, segments.

Equal rows are one line (`training_job.model.scored_lines`), so the parts of a side add up, and no
figure depends on how the rows were parted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from domain.contract.contract import Contract
from tabular.classification import Bools, Counts, Floats
from tabular.coverage import effective_rows
from tabular.segments import NO_GROUP, assign_groups
from training_job.dataset.dataset import Split
from training_job.model.model import Probabilities
from training_job.model.scored_lines import MOST_LINES, Groups, ScoredLines


@dataclass(frozen=True, slots=True)
class Answers:
    """Lines with the flags label, challenger's answer and champion's answer, by segment group."""

    lines: ScoredLines
    threshold: float

    @classmethod
    def of(
        cls,
        rows: Split,
        contract: Contract,
        *,
        scores: Probabilities,
        threshold: float,
        champion: Bools | None,
    ) -> Self:
        """Rows with the challenger's `scores` and the champion's answers; None: it can't answer."""
        given = np.zeros(len(scores), bool) if champion is None else champion
        called = np.asarray(scores.astype(np.float64) >= threshold)
        flags = (rows.labels == 1, called, given)
        groups = _assign(rows, contract)
        lines = ScoredLines.of_rows(scores, flags, groups, weights=rows.weights)
        return cls(lines.condense(), threshold)

    @classmethod
    def add_up(cls, parts: Iterable[Self], most_lines: int = MOST_LINES) -> Self:
        """All rows of the parts, which share a threshold, and either all have weights or none."""
        others = iter(parts)
        first = next(others)
        lines = (part.lines for part in chain([first], others))
        return cls(ScoredLines.add_up(lines, most_lines), first.threshold)

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.lines.rows.sum())

    @property
    def counts(self) -> Counts:
        """How many rows each line stands for."""
        return self.lines.rows

    @property
    def weights(self) -> Floats | None:
        """How much each row of each line counts; None where each counts once."""
        return self.lines.weights

    @property
    def effective_rows(self) -> float | None:
        """See `tabular.coverage.effective_rows`; None where each row counts once."""
        weights = self.weights
        return None if weights is None else effective_rows(weights, self.counts)

    @property
    def labels(self) -> Bools:
        """The truth of each line."""
        return self.lines.flag(0)

    @property
    def predicted(self) -> Bools:
        """The challenger's answers."""
        return self.lines.flag(1)

    @property
    def champion(self) -> Bools:
        """The champion's answers."""
        return self.lines.flag(2)

    @property
    def scores(self) -> Floats:
        """The challenger's probabilities; cut ones stay on their side of the threshold."""
        found = self.lines.scores
        if not self.lines.bits:
            return found
        below = np.minimum(found, np.nextafter(self.threshold, 0.0))
        return np.where(self.predicted, np.maximum(found, self.threshold), below)

    def masks(self, contract: Contract) -> dict[str, Bools]:
        """Which lines belong to each segment, by its name; see `tabular.segments.segment_masks`."""
        groups = zip(self.lines.groups, contract.segment_groups, strict=True)
        return {
            name: codes == code
            for codes, (_, _, labels) in groups
            for code, name in enumerate(labels)
        }


def _assign(rows: Split, contract: Contract) -> Groups:
    """The place of each row's group in each group of segments."""
    table, found = rows.table, []
    for segment, feature, _ in contract.segment_groups:
        if segment.feature in table.column_names:
            found.append(assign_groups(table.column(segment.feature), segment, feature))
        else:
            found.append(np.full(table.num_rows, NO_GROUP))
    return np.array(found, np.int16).reshape(len(found), table.num_rows)
