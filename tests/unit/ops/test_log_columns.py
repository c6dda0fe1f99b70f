"""`up` refuses a contract whose log would forget what the champion still logs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle
from domain.model.champion import Champion
from ops.errors import OpsError
from ops.local import log_columns
from ops.target import Target
from tests.repository import ROOT
from tests.unit.fakes import FakeS3, point_at, random_forest, store_model

TEXT = (ROOT / "contract.toml").read_text()
WITHOUT_BMI = TEXT.replace('name = "bmi"', 'name = "body_mass"')
RETIRED = '[[retired]]\nname = "bmi"\nkind = "number"\n'


@dataclass
class FakeTarget:
    """A stage with one bucket, or nothing deployed."""

    s3: FakeS3
    state: str = "deployed"
    name: str = "circle"

    def read_deployment(self) -> object:
        if self.state == "half deployed":
            raise OpsError("The deployment is incomplete.", "python -m ops up")
        return object() if self.state == "deployed" else None

    def bucket(self, _: str) -> Bucket:
        return self.s3.bucket()

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.s3.bucket())

    def champion(self) -> Champion | None:
        place: Any = self
        return Target.champion(place)


@pytest.fixture
def s3(contract: Contract) -> FakeS3:
    """The shipped contract's champion."""
    s3 = FakeS3()
    point_at(s3, store_model(s3, Bundle(contract, random_forest(contract, 1), 0.4), 1))
    return s3


def _check(target: FakeTarget, text: str, folder: Path) -> None:
    path = folder / "contract.toml"
    path.write_text(text)
    log_columns.check(target, path)  # type: ignore[arg-type]  # a fake


def test_a_forgotten_feature_is_named_with_the_way_to_keep_it(s3: FakeS3, tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="has no column for: bmi") as raised:
        _check(FakeTarget(s3), WITHOUT_BMI, tmp_path)
    assert "[[retired]]" in raised.value.next_step
    _check(FakeTarget(s3), WITHOUT_BMI + RETIRED, tmp_path)


def test_a_feature_that_becomes_a_context_column_gets_another_name(
    s3: FakeS3, tmp_path: Path
) -> None:
    moved = WITHOUT_BMI + '[[context]]\nname = "BMI"\nkind = "number"\nminimum = 0\nmaximum = 99\n'
    with pytest.raises(OpsError, match="can't become a context column") as raised:
        _check(FakeTarget(s3), moved, tmp_path)
    assert raised.value.next_step.startswith("Give BMI another name under [[context]]")


@pytest.mark.parametrize("text", [TEXT, "no contract"], ids=["the same", "unusable"])
def test_nothing_forgotten_is_no_matter_and_a_bad_contract_is_the_deployments(
    s3: FakeS3, text: str, tmp_path: Path
) -> None:
    _check(FakeTarget(s3), text, tmp_path)


@pytest.mark.parametrize(
    "state", ["not deployed", "half deployed", "no champion", "damaged pointer", "damaged bundle"]
)
def test_without_a_champion_that_could_answer_any_contract_may_be_deployed(
    s3: FakeS3, state: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "no champion": {keys.CHAMPION: None},
        "damaged pointer": {keys.CHAMPION: b"{"},
        "damaged bundle": {key: b"" for key in s3.objects if key.endswith("bundle.json.gz")},
    }
    kept = s3.objects | changes.get(state, {})
    s3.objects = {key: data for key, data in kept.items() if data is not None}
    target = FakeTarget(s3, state if "deployed" in state else "deployed")
    _check(target, WITHOUT_BMI, tmp_path)


CHURN = """
[target]
name = "churned"
[[features]]
name = "months"
kind = "number"
minimum = 0
maximum = 600
"""


@pytest.mark.parametrize(
    "text",
    [CHURN, TEXT.replace('name = "diabetes"', 'name = "sugar"', 1).replace('"bmi"', '"mass"')],
    ids=["no feature in common", "another target"],
)
def test_a_contract_for_another_task_is_refused_with_steps_that_work(
    s3: FakeS3, text: str, tmp_path: Path
) -> None:
    with pytest.raises(OpsError, match="for another prediction task") as raised:
        _check(FakeTarget(s3), text, tmp_path)
    path = tmp_path / "contract.toml"
    assert "[[retired]]" not in raised.value.next_step
    assert f"python -m ops up --name NAME --contract {path}." in raised.value.next_step
    again = (
        f"python -m ops remove --name circle, then python -m ops up --name circle --contract {path}"
    )
    assert again in raised.value.next_step
