"""Rebuild a booster from plain data, the inverse of `export`, to score many rows at once.

The trees come out of a sealed and checked bundle, so XGBoost's native loader only
reads a document that was written here.
"""

import json
from collections.abc import Sequence

import xgboost as xgb

from domain.errors import BadBundle
from domain.model.scorer import LEAF, Forest, sigmoid

NO_PARENT = 2_147_483_647


def rebuild(forest: Forest, columns: int) -> xgb.Booster:
    """The forest as a booster of `columns` encoded columns with a single thread.

    Raises BadBundle when its trees are not one after another, as `export` writes them.
    """
    if forest.roots[:1] != (0,) or list(forest.roots) != sorted(set(forest.roots)):
        raise BadBundle("The trees are not in order.")
    ends = (*forest.roots[1:], len(forest.feature))
    trees = [
        _tree(forest, slice(start, end), index, columns)
        for index, (start, end) in enumerate(zip(forest.roots, ends, strict=True))
    ]
    model = {
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(len(trees) + 1)),
        "tree_info": [0] * len(trees),
        "trees": trees,
    }
    learner = {
        "attributes": {},
        "feature_names": [],
        "feature_types": [],
        "gradient_booster": {"model": model, "name": "gbtree"},
        "learner_model_param": {
            "base_score": f"[{sigmoid(forest.base_margin)!r}]",
            "boost_from_average": "1",
            "num_class": "0",
            "num_feature": str(columns),
            "num_target": "1",
        },
        "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
    }
    document = {
        "learner": learner,
        "version": [int(part) for part in xgb.__version__.split(".")[:3]],
    }
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document).encode()))
    return booster


def _tree(forest: Forest, nodes: slice, index: int, columns: int) -> dict[str, object]:
    """One tree in XGBoost's JSON; node numbers count from its own root."""
    feature, start = forest.feature[nodes], nodes.start
    leaf = [column == LEAF for column in feature]
    left = _children(forest.left[nodes], leaf, start)
    right = _children(forest.right[nodes], leaf, start)
    parents = [NO_PARENT] * len(feature)
    for children in (left, right):
        for node, child in enumerate(children):
            if child >= len(feature):
                raise BadBundle("A tree points into another tree.")
            if child >= 0:
                parents[child] = node
    zeros = [0] * len(feature)
    return {
        "base_weights": list(forest.threshold[nodes]),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
        "default_left": list(forest.default_left[nodes]),
        "id": index,
        "left_children": left,
        "loss_changes": [0.0] * len(feature),
        "parents": parents,
        "right_children": right,
        "split_conditions": list(forest.threshold[nodes]),
        "split_indices": [0 if column == LEAF else column for column in feature],
        "split_type": zeros,
        "sum_hessian": list(forest.cover[nodes]),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(columns),
            "num_nodes": str(len(feature)),
            "size_leaf_vector": "1",
        },
    }


def _children(children: Sequence[int], leaf: Sequence[bool], start: int) -> list[int]:
    return [-1 if is_leaf else child - start for child, is_leaf in zip(children, leaf, strict=True)]
