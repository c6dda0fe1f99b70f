"""Blank values at random in training, so that trees learn where to send a missing one.

XGBoost learns the branch of a missing value from the missing values it sees (Chen & Guestrin 2016,
algorithm 3). Where it sees none the branch is arbitrary, and a person without the value may get any
answer. So a feature that may be missing, but hardly ever is, loses some of its values by chance.
Where enough are missing already nothing is changed: there, that a value is missing may mean
something.
"""

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
        names = rarely_missing(train, contract)
        spans = []
        start = 0
        for feature in contract.features:
            stop = start + len(feature.encoded_names)
            if feature.name in names:
                spans.append((start, stop))
            start = stop
        return cls(tuple(spans), seed)

    def apply(self, matrix: Matrix, batch: int) -> None:
        """Blank values in place; the same ones each time for the same seed and batch."""
        random = np.random.default_rng((self.seed, batch))
        for start, stop in self.spans:
            matrix[random.random(len(matrix), np.float32) < SHARE, start:stop] = np.nan


def rarely_missing(train: Split | SplitFile, contract: Contract) -> tuple[str, ...]:
    """Features that may be missing and are so in too few training rows to learn from."""
    rows = max(len(train.labels), 1)
    return tuple(
        feature.name
        for feature in contract.features
        if feature.nullable and train.count_missing(feature.name) < ENOUGH * rows
    )
