"""Results of steps: where they lie in the state, and what is refused."""

import json

import pytest

from domain.errors import BadRecord
from domain.training.steps import (
    Checked,
    Evaluated,
    Prepared,
    Promoted,
    RefusedRows,
    Scored,
    StepResult,
    Tuned,
)

EVALUATED = Evaluated(
    promote=True,
    rule="paired",
    reasons=("Better.", "Calibrated."),
    version="2-0a1b2c3d",
    sha256="f" * 64,
    metrics={"f1": 0.8, "roc_auc": 1},
    f1_interval=(0.79, 0.81),
    champion_version="1-0a1b2c3d",
    champion_metric=0.78,
    champion_etag='"e"',
)
RESULTS = (
    Prepared(
        dataset_id="d",
        rows={"train": 7},
        rows_read=9,
        rows_quarantined=1,
        rows_repeated=0,
        left_out=(),
    ),
    Tuned(
        trials=30, pruned=8, best_trial=3, valid_log_loss=0.08, params={"max_depth": 4}, run_id="r"
    ),
    EVALUATED,
    Promoted(promoted=True, version="2-0a1b2c3d", reasons=("Better.",), seq=2, registry="done"),
    Checked(consistent=False, problems=("Gone.",), checked_at=1, version=None, seq=0),
    Scored(
        model_version="2-0a1b2c3d",
        threshold=0.4,
        output="scoring/out/",
        logged=False,
        rows=10,
        refused=1,
        positives=2,
        top_reasons=(RefusedRows("age must be a number", 1),),
    ),
)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.step)
def test_a_result_survives_the_journey_through_the_state(result: StepResult) -> None:
    state = json.loads(json.dumps({result.step: result.to_dict()}))
    assert result == type(result).of(state)


def test_a_whole_number_stays_one_since_xgboost_wants_a_whole_depth() -> None:
    tuned = Tuned.from_dict(json.loads(json.dumps(RESULTS[1].to_dict())))
    assert isinstance(tuned.params["max_depth"], int)


def test_a_step_that_did_not_run_has_no_result() -> None:
    assert None is Evaluated.of({"input": {}})


def test_a_path_exists_for_each_field_and_for_no_other_name() -> None:
    assert "$.evaluate.promote" == Evaluated.path("promote")
    with pytest.raises(ValueError, match="Evaluated has no field better"):
        Evaluated.path("better")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"promote": 1}, "Evaluated.promote has a value of the wrong type."),
        ({"rule": "luck"}, "Evaluated.rule has a value of the wrong type."),
        ({"version": None}, "Evaluated.version has a value of the wrong type."),
        ({"metrics": []}, "Evaluated.metrics is not a JSON object."),
        ({"metrics": {"f1": True}}, "Evaluated.metrics.f1 has a value of the wrong type."),
        ({"metrics": {"f1": float("nan")}}, "Evaluated.metrics.f1 has a value of the wrong type."),
        ({"reasons": "all"}, "Evaluated.reasons is not a JSON array."),
        ({"reasons": ["a", 1]}, r"Evaluated.reasons\[1\] has a value of the wrong type."),
        ({"f1_interval": [0.1]}, "Evaluated.f1_interval has 1 entry instead of 2."),
    ],
)
def test_a_field_of_the_wrong_type_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        Evaluated.from_dict(EVALUATED.to_dict() | changes)


def test_a_missing_field_is_named_and_an_unknown_one_ignored() -> None:
    document = EVALUATED.to_dict() | {"of_tomorrow": 1}
    assert EVALUATED == Evaluated.from_dict(document)
    del document["sha256"]
    with pytest.raises(BadRecord, match="Evaluated lacks sha256"):
        Evaluated.from_dict(document)
