"""Export an XGBoost booster as plain data: the trees as flat arrays."""

import json
import math

import xgboost as xgb

from domain.model.scorer import LEAF, Forest


def export(booster: xgb.Booster) -> Forest:
    """Export the booster's trees with covers and default directions.

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
