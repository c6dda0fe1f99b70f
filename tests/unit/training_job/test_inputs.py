"""The execution's input is validated as a whole."""

import json

import pytest

from training_job.cluster.engine import Engine
from training_job.dataset.production_window import ProductionWindow
from training_job.errors import BadInput
from training_job.inputs import ExecutionInput, State


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"trials": 0}, "trials must be a whole number from 1 to 1000"),
        ({"trials": "x"}, "trials must be a whole number"),
        ({"search_minutes": 0}, "search_minutes must be a whole number from 1 to 1440"),
        ({"trials": True}, "trials must be a whole number"),
        ({"trails": 3}, "trails is not known"),
        ({"raw_prefix": "../etc"}, "raw_prefix must be a folder under raw/"),
        ({"raw_prefix": "raw/2024"}, "raw_prefix must be a folder under raw/, ending with /"),
        ({"minimum_f1": 2}, "minimum_f1 must be a number from 0 to 1"),
        ({"promote_version": "latest"}, "promote_version must be a version such as"),
        ({"production": {"days": 0}}, "production must be false"),
        ({"rollback": True, "promote_version": "1-0a1b2c3d"}, "exclude each other"),
        ({"rollback": True, "check": True}, "rollback and check exclude each other"),
        ({"compact": {}, "check": True}, "check and compact exclude each other"),
        ({"check": "yes"}, "check must be true or false"),
        ([1], "must be a JSON object"),
        ({"engine": "spark"}, "engine must be one of local, dask"),
        ({"engine": "dask"}, "needs workers .*or the address of a scheduler"),
        ({"engine": "dask", "workers": 0}, "needs workers"),
        ({"engine": "dask", "workers": 2, "scheduler": "tcp://a:1"}, "needs workers"),
        ({"engine": "dask", "workers": 101}, "workers must be at most 100"),
        ({"engine": "dask", "workers": True}, "workers must be a whole number"),
        ({"engine": "dask", "scheduler": "http://a:1"}, "scheduler must be an address"),
        ({"engine": "dask", "scheduler": "tcp://a"}, "scheduler must be an address"),
        ({"workers": 2}, 'workers and scheduler need "engine": "dask"'),
    ],
)
def test_a_bad_input_is_one_sentence(document: object, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        ExecutionInput.parse(document)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(BadInput, match=r"trials.*; seed.*; x is|x is.*trials.*seed"):
        ExecutionInput.parse({"trials": 0, "seed": -1, "x": 1})


@pytest.mark.parametrize(
    ("document", "expected"),
    [({}, None), ({"production": False}, ProductionWindow()),
     ({"production": {"days": 30}}, ProductionWindow(days=30))],
)  # fmt: skip
def test_production_rows_may_be_chosen_or_declined(
    document: object, expected: ProductionWindow | None
) -> None:
    assert expected == ExecutionInput.parse(document).production


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, None),
        ({"engine": "local"}, Engine()),
        ({"engine": "dask", "workers": 4}, Engine("dask", workers=4)),
        (
            {"engine": "dask", "scheduler": "tcp://10.0.0.7:8786"},
            Engine("dask", scheduler="tcp://10.0.0.7:8786"),
        ),
    ],
)
def test_an_execution_chooses_its_engine(document: object, expected: Engine | None) -> None:
    assert expected == ExecutionInput.parse(document).engine


def test_the_state_splits_into_input_and_results() -> None:
    state = State.from_json(json.dumps({"input": {"trials": 5}, "prepare": {"dataset_id": "d"}}))
    assert ExecutionInput(trials=5) == state.input
    assert {"prepare": {"dataset_id": "d"}} == state.results


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "5", '"x"', "[" * 100_000, '{"input": null}', '{"input": []}'],
    ids=lambda text: text[:8] or "nothing",
)
def test_a_state_that_is_none_is_a_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        State.from_json(text)
