"""An export is proved: each branch of each tree, and every test row, as it is and with gaps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost as xgb

from domain.contract.contract import Contract
from domain.model.bundle import Bundle
from domain.model.scorer import LEAF, Forest
from tests.repository import CONTRACT_TOML
from tests.unit.patients import patients
from training_job.dataset import dataset
from training_job.dataset.dataset import Split
from training_job.dataset.validation import check
from training_job.errors import ExportDisagrees
from training_job.model import proof
from training_job.model.encoding import encode
from training_job.model.export import export
from training_job.model.proof import check_agreement, check_branches, prove
from training_job.model.walk import Walk

ROWS = 2_000


@pytest.fixture(scope="module")
def split() -> Split:
    contract = Contract.parse(CONTRACT_TOML.read_text())
    checked = check(pa.Table.from_pandas(patients(ROWS, seed=4), preserve_index=False), contract)
    table = dataset.to_table(checked.columns, contract)
    return Split(table, table.column(contract.target).to_numpy().astype(np.int8))


def _fit(split: Split, contract: Contract, *, rounds: int, depth: int) -> xgb.Booster:
    params = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1}
    return xgb.train(params, xgb.DMatrix(encode(split.table, contract), split.labels), rounds)


def test_probabilities_that_differ_are_refused() -> None:
    check_agreement(np.array([0.25, 0.5]), np.array([0.25, 0.5]))
    with pytest.raises(ExportDisagrees, match="Nothing was registered"):
        check_agreement(np.array([0.25, 0.5]), np.array([0.25, 0.5 + 2e-6]))


def test_every_row_is_compared_as_it_is_and_with_a_gap(split: Split, contract: Contract) -> None:
    booster = _fit(split, contract, rounds=8, depth=4)
    assert 2 * len(split.labels) == prove(Bundle(contract, export(booster), 0.5), booster, split)


CHANGES: dict[str, Callable[[Forest], Forest]] = {
    "thresholds": lambda f: replace(f, threshold=tuple(value + 0.01 for value in f.threshold)),
    "defaults": lambda f: replace(f, default_left=tuple(1 - side for side in f.default_left)),
    "base margin": lambda f: replace(f, base_margin=f.base_margin + 1e-4),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_forest_that_is_not_the_booster_is_refused(
    changed: str, split: Split, contract: Contract
) -> None:
    booster = _fit(split, contract, rounds=8, depth=4)
    forest = CHANGES[changed](export(booster))
    with pytest.raises(ExportDisagrees):
        prove(Bundle(contract, forest, 0.5), booster, split)


WALKS: dict[str, tuple[object, Callable[[Any], object]]] = {
    "of one row": (Forest, lambda margin: margin),
    "of the rows of a request": (
        proof,
        lambda margin: lambda forest, rows: [margin(forest, row) for row in rows],
    ),
    "of matrices": (
        Walk,
        lambda margin: lambda walk, rows: np.array([margin(walk._forest, row) for row in rows]),
    ),
}
"""Where each way to walk is, and how it is called."""


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("case", ["at the threshold", "missing", "just below"])
def test_a_walk_that_takes_one_branch_of_one_node_wrongly_is_found_without_data(
    case: str, walk: str, split: Split, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, called = WALKS[walk]
    name = "margins" if place is not Forest else "margin"
    columns = len(contract.encoded_names)
    forest = export(_fit(split, contract, rounds=1, depth=4))
    inner = [node for node, column in enumerate(forest.feature) if column != LEAF]
    assert len(inner) > 5
    # A missing value reaches a node only if it was sent towards it wherever its column came before.
    for wrong in inner:
        if case == "missing" and not _reached_when_missing(forest, wrong):
            continue
        monkeypatch.setattr(place, name, called(_scorer_wrong_at(wrong, case)))
        with pytest.raises(ExportDisagrees, match="different ways"):
            check_branches(forest, columns)


def _scorer_wrong_at(wrong: int, case: str) -> object:
    def margin(forest: Forest, row: list[float]) -> float:
        node = forest.roots[0]
        while (column := forest.feature[node]) != LEAF:
            value, at = row[column], forest.threshold[node]
            below = float(np.nextafter(np.float32(at), np.float32(-np.inf)))
            right = not forest.default_left[node] if np.isnan(value) else value >= at
            hit = {
                "missing": np.isnan(value),
                "at the threshold": value == at,
                "just below": value == below,
            }[case]
            if node == wrong and hit:
                right = not right
            node = forest.right[node] if right else forest.left[node]
        return forest.base_margin + forest.threshold[node]

    return margin


def _reached_when_missing(forest: Forest, wanted: int) -> bool:
    parent = {
        child: node
        for node, column in enumerate(forest.feature)
        if column != LEAF
        for child in (forest.left[node], forest.right[node])
    }
    node = wanted
    while node in parent:
        child, node = node, parent[node]
        towards_left = forest.left[node] == child
        same_column = forest.feature[node] == forest.feature[wanted]
        if same_column and towards_left != bool(forest.default_left[node]):
            return False
    return True
