"""The demo a second time, with the real data set where there is one."""

import json
import os

import pytest

from tests.e2e.conftest import PREDICTIONS, Circle, ops


@pytest.mark.slow
def test_the_demo_runs_again_over_what_the_first_one_left(circle: Circle) -> None:
    data = os.environ.get("DIABETES_CSV")
    size = ("--trials", "5", "--predictions", str(PREDICTIONS), "--seed", "2")
    done = ops(circle.target.folder, "demo", *size, *(("--data", data) if data else ()))
    assert 0 == done.returncode, done.stderr + done.stdout
    again = json.loads((circle.target.folder / "demo.json").read_text())
    assert again["training"]["version"] != circle.figures["training"]["version"]
    for count in again["predictions"].values():
        assert {PREDICTIONS} == {count["sent"], count["answered"], count["distinct"]}
    if data:
        assert again["training"]["metrics"]["f1"] > 0.78  # one split varies by about 0.01
        assert again["training"]["metrics"]["roc_auc"] > 0.97
