"""Which predictions get a label, and weights that make the labelled ones represent all of them.

Predictions are grouped by their answer, by the band of their score, and by the contract's segments.
A group that is too small to estimate its coverage is merged with its neighbours: first without the
last segment, then without the one before, and so on. Whether coverage differs between the groups by
more than chance is a chi-square test of independence; if it does not, every weight is exactly 1.

A label may also depend on the outcome itself within a group (only the sick are reported). No weight
can mend that; it is seen only where all labels are of one class and the scores expect both.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import chi2

from domain.contract.contract import Contract
from domain.model.production import LabelCoverage
from domain.plural import agree, write_count
from tabular.classification import Counts, Floats
from tabular.labels import UNKNOWN, Labels
from tabular.segments import NO_GROUP, assign_groups

BANDS = 10
"""Bands of the score with equally many predictions."""
FEWEST_ROWS = 50
FEWEST_EXPECTED = 10.0
"""A group must have so many rows, and so many expected labels, to be a group of its own."""
SIGNIFICANCE = 0.01
LARGEST_WEIGHT = 10.0
"""Times the mean weight."""
THINNING_QUANTILE = 0.95
"""Where rows are thinned, weights above this quantile are cut to it."""
UNKNOWN_SHARE = 0.01
"""If groups without any label hold a larger share of the predictions, nothing is concluded."""

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Strata:
    """The groups of predictions, as found in a sample of them.

    `edges`: of the score's bands. `kept`: per level, from the finest to the coarsest, the codes of
    its groups in ascending order. A row belongs to the first level that has its code.
    """

    edges: Floats
    kept: tuple[Codes, ...]

    @classmethod
    def fit(cls, rows: pa.Table, contract: Contract, fewest_rows: float) -> "Strata":
        """Group `rows`, which have the columns probability, predicted, and those of segments."""
        scores = rows["probability"].to_numpy()
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, BANDS + 1)[1:-1]))
        left = np.ones(len(scores), bool)
        kept = []
        for codes in (levels := _codes(rows, contract, edges)):
            values, counts = np.unique(codes[left], return_counts=True)
            chosen = values if codes is levels[-1] else values[counts >= fewest_rows]
            left &= ~np.isin(codes, chosen)
            kept.append(chosen)
        return cls(edges, tuple(kept))

    @property
    def count(self) -> int:
        """Number of groups; the last one is for rows of a kind that the sample didn't have."""
        return sum(map(len, self.kept)) + 1

    def assign(self, rows: pa.Table, contract: Contract) -> Codes:
        """The group of each row, from 0 to `count` - 1."""
        found = np.full(rows.num_rows, self.count - 1, np.int64)
        left, base = np.ones(rows.num_rows, bool), 0
        for codes, kept in zip(_codes(rows, contract, self.edges), self.kept, strict=True):
            if len(kept):
                place = np.minimum(np.searchsorted(kept, codes), len(kept) - 1)
                here = left & (kept[place] == codes)
                found[here] = base + place[here]
                left &= ~here
            base += len(kept)
        return found


def _codes(rows: pa.Table, contract: Contract, edges: Floats) -> list[Codes]:
    """Codes of each row's group, the finest level first: all segments, …, the answer alone."""
    scores = rows["probability"].to_numpy()
    answer = rows["predicted"].to_numpy().astype(np.int64)
    levels = [answer, answer * (BANDS + 1) + np.searchsorted(edges, scores, side="right")]
    for segment, feature, labels in contract.segment_groups:
        if feature.column in rows.column_names:
            group = assign_groups(rows[feature.column], segment, feature) - NO_GROUP
            levels.append(levels[-1] * (len(labels) + 1) + group)
    return levels[::-1]


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight per labelled row, whose mean is 1, and what is known of the coverage."""

    weights: Floats
    coverage: LabelCoverage


def weigh(
    *,
    sample: pa.Table,
    sample_labels: Labels,
    rows: pa.Table,
    labels: Labels,
    predictions: int,
    contract: Contract,
) -> Weights:
    """Weigh the labelled `rows` by the coverage found in a `sample` of all predictions.

    Both have the columns probability, predicted and those of the contract's segments. `labels`: of
    the rows, none of them UNKNOWN. `predictions`: how many there are in all.
    """
    labelled = sample_labels != UNKNOWN
    share = float(labelled.mean()) if len(labelled) else 0.0
    found = LabelCoverage(
        predictions=predictions,
        labelled=len(labels),
        positives=int(np.count_nonzero(labels == 1)),
        share=share,
        effective_rows=float(len(labels)),
    )
    ones = np.ones(len(labels))
    if not len(labels) or not share:
        return Weights(ones, found)
    strata = Strata.fit(sample, contract, max(FEWEST_ROWS, FEWEST_EXPECTED / share))
    groups = strata.assign(sample, contract)
    counts = np.bincount(groups, minlength=strata.count)
    hits = np.bincount(groups[labelled], minlength=strata.count)
    unknown = _find_unknown(counts, hits, rows, labels)
    if share == 1.0 or not is_selective(counts, hits):
        return Weights(ones, replace(found, unknown=unknown))
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(hits > 0, counts / np.maximum(hits, 1), 1 / share)
    weights = inverse[strata.assign(rows, contract)]
    weights = weights / weights.mean()
    clipped = int(np.count_nonzero(weights > LARGEST_WEIGHT))
    weights = np.minimum(weights, LARGEST_WEIGHT)
    weights = weights / weights.mean()
    return Weights(
        weights,
        replace(
            found,
            unknown=unknown,
            selective=True,
            largest_weight=float(weights.max()),
            clipped=clipped,
            effective_rows=effective_rows(weights),
        ),
    )


def effective_rows(weights: Floats, counts: Counts | None = None) -> float:
    """How many rows of equal weight are as informative (L. Kish, "Survey Sampling", 1965).

    `counts`: see `tabular.classification`.
    """
    rows = np.ones(len(weights)) if counts is None else counts
    return float((rows @ weights) ** 2 / (rows @ weights**2)) if len(weights) else 0.0


def thin(weights: Floats, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which rows to keep so that those that are kept represent all predictions, each counting once.

    A row is kept with a chance proportional to its weight, and those of weight zero never are. The
    few largest weights are cut: they belong to groups with hardly a label, are estimated badly, and
    would leave few rows.
    """
    positive = weights[weights > 0]
    if not len(positive):
        return np.zeros(len(weights), bool)
    largest = np.quantile(positive, THINNING_QUANTILE)
    return np.asarray(random.random(len(weights)) * largest < weights)


def thin_lines(weights: Floats, counts: Counts, random: np.random.Generator) -> Counts:
    """How many rows of each line to keep, as `thin` does; weights are above 0.

    `counts`: see `tabular.classification`.
    """
    if not len(weights):
        return counts
    largest = np.quantile(weights, THINNING_QUANTILE, weights=counts, method="inverted_cdf")
    return random.binomial(counts, np.minimum(weights / largest, 1.0))


def is_selective(counts: Codes, hits: Codes) -> bool:
    """Whether the shares ``hits / counts`` differ by more than chance."""
    there = counts > 0
    counts, hits = counts[there].astype(float), hits[there]
    share = hits.sum() / counts.sum()
    if len(counts) < 2 or not 0 < share < 1:
        return False
    distance = ((hits - counts * share) ** 2 / (counts * share * (1 - share))).sum()
    return bool(chi2.sf(distance, len(counts) - 1) < SIGNIFICANCE)


def _find_unknown(counts: Codes, hits: Codes, rows: pa.Table, labels: Labels) -> str:
    """Why nothing can be known of the predictions without a label; empty when it can."""
    scores = rows["probability"].to_numpy()
    for label, name, other, expected in (
        (1, "positive", "negative", float((1 - scores).sum())),
        (0, "negative", "positive", float(scores.sum())),
    ):
        if np.all(labels == label) and expected >= FEWEST_EXPECTED:
            return (
                f"All {write_count(len(labels), 'label')} {agree(len(labels), 'is', 'are')} "
                f"{name}, where about {expected:,.0f} {other} ones are expected by the scores: "
                "nothing can be known of the predictions without a label."
            )
    dark = int(counts[hits == 0].sum())
    total = int(counts.sum())
    if dark > UNKNOWN_SHARE * total:
        return (
            f"Groups of predictions without a single label hold {dark / total:.1%} of all "
            "predictions (by answer, score and segment): nothing can be known of them."
        )
    return ""
