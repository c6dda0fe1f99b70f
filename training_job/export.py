"""From a booster to data: the trees as flat arrays, and the proof that they score the same."""

import json
import math
from collections.abc import Iterable

import numpy as np
import xgboost as xgb

from domain.bundle import Bundle
from domain.scorer import LEAF, Forest
from training_job.errors import ExportDisagrees

TOLERANCE = 1e-6


def export(booster: xgb.Booster) -> Forest:
    """The booster's trees with covers and default directions.

    Reads XGBoost's documented JSON model format (binary:logistic, numerical splits only).
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    base_score = float(learner["learner_model_param"]["base_score"].strip("[]"))
    trees = learner["gradient_booster"]["model"]["trees"]
    nodes: dict[str, list[float]] = {name: [] for name in _NODE_FIELDS}
    roots: list[int] = []
    for tree in trees:
        start = len(nodes["feature"])
        roots.append(start)
        for node, left in enumerate(tree["left_children"]):
            leaf = left < 0
            nodes["feature"].append(LEAF if leaf else tree["split_indices"][node])
            nodes["threshold"].append(tree["split_conditions"][node])
            nodes["left"].append(0 if leaf else start + left)
            nodes["right"].append(0 if leaf else start + tree["right_children"][node])
            nodes["default_left"].append(int(tree["default_left"][node]))
            nodes["cover"].append(tree["sum_hessian"][node])
    base_margin = math.log(base_score / (1 - base_score))
    return Forest.from_dict(
        {"base_margin": base_margin, "roots": roots, **nodes}, booster.num_features()
    )


_NODE_FIELDS = ("feature", "threshold", "left", "right", "default_left", "cover")


def prove(bundle: Bundle, rows: Iterable[tuple[object, ...]], expected: np.ndarray) -> None:
    """Compare the bundle's own scorer with XGBoost's probabilities, row by row.

    `rows`: features in the contract's order. Raises ExportDisagrees above a difference of 1e-6.
    """
    scored = np.array([bundle.probability(row) for row in rows])  # type: ignore[arg-type]  # rows come from the contract's own columns
    difference = float(np.max(np.abs(scored - expected), initial=0.0))
    if not difference <= TOLERANCE:
        raise ExportDisagrees(
            f"The exported model differs from XGBoost by {difference:.2g} on the test rows, more "
            f"than {TOLERANCE:g}: this XGBoost version can't be exported. Nothing was registered."
        )
