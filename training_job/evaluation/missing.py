"""Measure what a model answers when a feature that may be missing is missing."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import xgboost as xgb
from sklearn.metrics import roc_auc_score

from domain.contract.contract import Contract
from domain.model.missing_effect import MissingEffect
from training_job.dataset.dataset import Floats, Split
from training_job.model.model import predict_split

MOST_ROWS = 100_000
"""Test rows that the measurement uses at most; more would hardly change it."""


def measure_missing(
    booster: xgb.Booster,
    test: Split,
    contract: Contract,
    *,
    threshold: float,
    masked: Collection[str],
) -> tuple[MissingEffect, ...]:
    """One effect per nullable feature, in the contract's order.

    `masked`: features whose missing values training had to make itself.
    """
    some = Split(test.table.slice(0, MOST_ROWS), test.labels[:MOST_ROWS])
    negative = some.labels == 0
    weights = np.ones(len(negative)) if some.weights is None else some.weights
    usual = predict_split(booster, some, contract).astype(np.float64)
    effects = []
    for feature in contract.features:
        if not feature.nullable:
            continue
        index = some.table.schema.get_field_index(feature.name)
        empty = pa.nulls(some.table.num_rows, some.table.column(index).type)
        blanked = Split(some.table.set_column(index, feature.name, empty), some.labels)
        scores = predict_split(booster, blanked, contract).astype(np.float64)
        effects.append(
            MissingEffect(
                feature=feature.name,
                mean=float(np.average(scores, weights=weights)),
                usual_mean=float(np.average(usual, weights=weights)),
                false_positives=_share_called(scores[negative], threshold, weights[negative]),
                usual_false_positives=_share_called(usual[negative], threshold, weights[negative]),
                roc_auc=float(roc_auc_score(some.labels, scores, sample_weight=weights)),
                learned=feature.name not in masked,
            )
        )
    return tuple(effects)


def _share_called(scores: Floats, threshold: float, weights: Floats) -> float:
    """The share of these rows that are answered positive."""
    return float(np.average(scores >= threshold, weights=weights))
