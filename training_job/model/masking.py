"""Blank values at random in training, so that trees learn where to send a missing one.

XGBoost learns the branch of a missing value from the missing values it sees (Chen & Guestrin 2016,
algorithm 3). Where it sees none the branch is arbitrary, and a person without the value may get any
answer. So a feature that may be missing, but hardly ever is, loses some of its values by chance.
Where enough are missing already nothing is changed: there, that a value is missing may mean
something.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from domain.contract.contract import Contract
from training_job.dataset.dataset import Split, SplitFile
from training_job.model.encoding import Matrix

ENOUGH = 0.01
"""From this share of missing values on, a feature is left as it is."""
SHARE = 0.05
"""Share of the values that is blanked otherwise."""


@dataclass(frozen=True, slots=True)
class Masking:
    """`spans`: begin and end of the encoded columns of each feature that is blanked."""

    spans: tuple[tuple[int, int], ...]
    seed: int

    @classmethod
    def of(cls, train: Split | SplitFile, contract: Contract, seed: int) -> "Masking":
        """What the training rows need."""
        return cls.of_names(rarely_missing(train, contract), contract, seed)

    @classmethod
    def of_names(cls, names: Collection[str], contract: Contract, seed: int) -> "Masking":
        """The same by the features' names."""
        spans = []
        start = 0
        for feature in contract.features:
            stop = start + len(feature.encoded_names)
            if feature.name in names:
                spans.append((start, stop))
            start = stop
        return cls(tuple(spans), seed)

    def apply_within(self, matrix: Matrix, start: int, *, rows: int, batch_rows: int) -> None:
        """Blank what `apply` blanks in the whole of so many rows, of which these begin at `start`.

        `batch_rows`: of every batch but the last one.
        """
        for batch in range(start // batch_rows, -(-(start + len(matrix)) // batch_rows)):
            first = batch * batch_rows
            whole = min(batch_rows, rows - first)
            begin, end = max(start - first, 0), min(start + len(matrix) - first, whole)
            part = matrix[first + begin - start : first + end - start]
            random = np.random.default_rng((self.seed, batch))
            for low, high in self.spans:
                chosen = random.random(whole, np.float32)[begin:end] < SHARE
                part[chosen, low:high] = np.nan

    def apply(self, matrix: Matrix, batch: int) -> None:
        """Blank values in place; the same ones each time for the same seed and batch."""
        random = np.random.default_rng((self.seed, batch))
        for start, stop in self.spans:
            matrix[random.random(len(matrix), np.float32) < SHARE, start:stop] = np.nan


def rarely_missing(train: Split | SplitFile, contract: Contract) -> tuple[str, ...]:
    """Features that may be missing and are so in too few training rows to learn from."""
    nullable = [feature.name for feature in contract.features if feature.nullable]
    missing = {name: train.count_missing(name) for name in nullable}
    return choose_rare(missing, len(train.labels))


def choose_rare(missing: Mapping[str, int], rows: int) -> tuple[str, ...]:
    """The same from counts of missing values by nullable feature, in so many rows."""
    return tuple(name for name, count in missing.items() if count < ENOUGH * max(rows, 1))
