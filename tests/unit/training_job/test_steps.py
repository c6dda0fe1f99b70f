"""The steps by name, wherever they are named, and what they hand to the next state."""

import json
from dataclasses import replace

import pytest

from domain.contract.gate_limits import GateLimits
from domain.failures import ADVICE
from domain.packed_text import pack
from domain.training.steps import STEP_NAMES, Evaluated, Prepared, Tuned
from stacks.training.task_state import TIMEOUT_HOURS
from tests.repository import ROOT
from training_job import steps
from training_job.evaluation import evaluate
from training_job.inputs import ExecutionInput, State
from training_job.promotion import promote
from training_job.settings import Settings

ROOM = 5000
"""Characters of state for which the overrides of a task have room."""
PREPARED = Prepared(
    dataset_id="d", rows={"train": 1}, rows_read=1, rows_quarantined=0, rows_repeated=0, left_out=()
)
TUNED = Tuned(
    trials=1, pruned=0, best_trial=0, valid_log_loss=0.08, params={"max_depth": 3}, run_id="r"
)
EVALUATED = Evaluated(
    promote=False,
    rule="paired",
    reasons=(),
    version="2-0a1b2c3d",
    sha256="s",
    metrics={"f1": 0.8},
    f1_interval=(0.7, 0.9),
)
SETTINGS = Settings(
    data_bucket="data",
    models_bucket="models",
    predictions_bucket="predictions",
    reports_bucket="reports",
    mlflow_tracking_uri="http://127.0.0.1:1",
    model_name="diabetes",
    contract="",
)


def test_the_container_the_steps_and_the_machine_name_the_same_steps() -> None:
    assert set(STEP_NAMES) == set(steps.STEPS) == set(TIMEOUT_HOURS)


@pytest.mark.parametrize("count", [1, 3, 200])
def test_a_verdict_of_many_reasons_leaves_room_for_the_state(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    reasons = [f"Segment number {n} loses 0.1000 of F1, more than allowed." for n in range(count)]
    monkeypatch.setattr(promote, "align_registry", lambda *_: "done")
    monkeypatch.setattr(
        evaluate, "evaluate", lambda **_: replace(EVALUATED, reasons=tuple(reasons))
    )
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    listed = list(steps.evaluate(_evaluation(ExecutionInput())).reasons)
    assert len(json.dumps(listed)) < ROOM / 2
    assert reasons[:3] == listed[:3]
    assert (count <= len(listed)) == (count <= 3)
    if count > len(listed):
        assert f"And {count - len(listed) + 1} more reasons" in listed[-1]


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, GateLimits()), (0.0, GateLimits().give_minimum_f1(0.0))]
)
def test_the_gate_is_told_which_minimum_is_not_the_contracts(
    monkeypatch: pytest.MonkeyPatch, asked: float | None, expected: GateLimits
) -> None:
    given: list[GateLimits] = []

    def judge(*, limits: GateLimits, **_: object) -> Evaluated:
        given.append(limits)
        return EVALUATED

    monkeypatch.setattr(promote, "align_registry", lambda *_: "done")
    monkeypatch.setattr(evaluate, "evaluate", judge)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    steps.evaluate(_evaluation(ExecutionInput(minimum_f1=asked)))
    assert [expected] == given


def _evaluation(asked: ExecutionInput) -> steps.Context:
    return steps.Context(
        settings=replace(SETTINGS, contract=pack((ROOT / "contract.toml").read_text())),
        execution="arn:one",
        state=State(asked, {result.step: result.to_dict() for result in (PREPARED, TUNED)}),
        say=lambda _: None,
    )


def test_every_error_with_an_advice_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| `")]
    described = " ".join(line.split("|")[1] for line in table)
    assert [] == [error for error in ADVICE if f"`{error}`" not in described]
