"""`contract check` says what is wrong and what changes, and can retire what is gone."""

from pathlib import Path
from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.packed_text import pack
from ops import contract_changes, predeploy
from ops.commands.data import contract_check
from ops.commands.machine import up
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.target import Resources, Target
from tests.repository import CONTRACT_TOML

TEXT = CONTRACT_TOML.read_text()
BMI = TEXT[TEXT.index('[[features]]\nname = "bmi"') :].partition("\n\n")[0]
WITHOUT_BMI = TEXT.replace(BMI, "")
"""The project's contract without its feature bmi."""


class Ecs:
    """Answers with one task definition, whose contract is packed or, if it is short, plain."""

    def __init__(self, contract: str) -> None:
        self._contract = contract

    def describe_task_definition(self, *, taskDefinition: str) -> Any:
        assert "training:3" == taskDefinition
        variables = [
            {"name": "TRIALS", "value": "5"},
            {"name": "CONTRACT", "value": self._contract},
        ]
        return {"taskDefinition": {"containerDefinitions": [{"environment": variables}]}}


@pytest.fixture(params=[TEXT, pack(TEXT)], ids=["plain", "packed"])
def target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Target:
    """A deployment of the project's contract."""
    listed = (("AWS::ECS::TaskDefinition", "Task", "training:3"),)
    monkeypatch.setattr(Target, "resources", Resources(listed))
    monkeypatch.setattr(Target, "client", lambda *_: Ecs(request.param))
    monkeypatch.setattr(Target, "champion", lambda _: object())
    return Target.on_laptop(Laptop(folder=tmp_path))


def test_the_deployed_contract_is_read_from_the_training_task(
    target: Target, contract: Contract
) -> None:
    assert contract == contract_changes.read_deployed_contract(target)


def test_the_contract_that_is_deployed_changes_nothing(target: Target) -> None:
    answer = contract_check.run(target)
    assert (0, []) == (answer.status, answer.data["differences"])


def test_a_feature_that_is_gone_is_retired_by_the_command(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    path.write_text(WITHOUT_BMI)
    refused = contract_check.run(target, path)
    assert (1, True) == (refused.status, refused.next_step.endswith("new.toml --retire"))
    assert WITHOUT_BMI == path.read_text()

    answer = contract_check.run(target, path, retire=True)
    assert (0, f"python -m ops up --contract {path}") == (answer.status, answer.next_step)
    assert [("bmi", "number")] == [
        (feature.name, feature.kind) for feature in Contract.parse(path.read_text()).retired
    ]
    again = path.read_text()
    contract_check.run(target, path, retire=True)
    assert again == path.read_text()


def test_the_contract_that_up_remembers_is_checked_unless_another_is_named(
    tmp_path: Path, target: Target
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(WITHOUT_BMI)
    assert target.laptop
    remembered = Target.on_laptop(target.laptop.with_contract(str(mine)))
    assert "bmi is gone" in str(contract_check.run(remembered).shown)
    mine.write_text(TEXT)
    assert (0, "") == _check(remembered)  # there is nothing to do
    wider = TEXT.replace("maximum = 120", "maximum = 130")
    mine.write_text(wider)
    assert (0, "python -m ops up") == _check(remembered)
    other = tmp_path / "other.toml"
    other.write_text(wider)
    assert (0, f"python -m ops up --contract {other}") == _check(remembered, other)


def test_a_contract_for_another_target_is_sent_to_another_deployment(
    tmp_path: Path, target: Target
) -> None:
    path = tmp_path / "churn.toml"
    path.write_text(TEXT.replace('name = "diabetes"', 'name = "churn"'))
    assert (1, f"python -m ops up --name NAME --contract {path}") == _check(target, path)


def test_on_an_account_the_command_names_a_contract_that_is_not_in_the_settings(
    tmp_path: Path, target: Target
) -> None:
    stage = Target("dev", None, tmp_path)
    deploy = "make deploy STAGE=dev MAIL_FROM=ADDRESS"
    assert (0, "") == _check(stage)
    path = tmp_path / "new.toml"
    path.write_text(TEXT.replace("maximum = 120", "maximum = 130"))
    assert (0, f'{deploy} ARGS="-c contract={path}"') == _check(stage, path)


def _check(target: Target, file: Path | None = None) -> tuple[int, str]:
    answer = contract_check.run(target, file)
    return answer.status, answer.next_step


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[target]\nname = 'x'\n[[features]]\nname = '1'\nkind = 'x'\n", "kind must be one of"),
        (b"[[[", "not valid TOML"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_contract_is_said(
    target: Target, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "new.toml"
    path.write_bytes(content)
    with pytest.raises(OpsError, match=sentence):
        contract_check.run(target, path)
    with pytest.raises(OpsError, match="can't be read"):
        contract_check.run(target, tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[target]\nname = "ill" # größe\n'.encode("latin-1"), 2),
        ('[target]\nname = "ill"\n'.encode("utf-16"), 1),
    ],
)
def test_a_contract_in_another_encoding_is_named_with_its_line(
    target: Target, tmp_path: Path, content: bytes, line: int
) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(OpsError, match=f"isn't in UTF-8: line {line} has other bytes") as raised:
        contract_check.run(target, path)
    assert f"Save {path} as UTF-8, then check it again." == raised.value.next_step


def test_before_the_first_deployment_a_contract_is_compared_with_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "resources", Resources(()))
    answer = contract_check.run(target)
    assert ({"deployed": False, "differences": []}, 0) == (answer.data, answer.status)
    assert "it predicts diabetes by 8 features" in str(answer.shown[0])


def test_without_a_running_deployment_the_contract_alone_is_checked(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OpsError("The emulator doesn't run.", "python -m ops up")

    monkeypatch.setattr(Target, "client", refuse)
    answer = contract_check.run(target)
    assert (0, False) == (answer.status, answer.data["deployed"])
    assert "compared with nothing: The emulator doesn't run." in str(answer.shown[0])


def test_a_deployment_that_would_lose_a_column_is_refused_before_it_begins(
    target: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert target.laptop
    (tmp_path / "cdk.json").write_text('{"context": {"stages": {"dev": {"contract": "new.toml"}}}}')
    (tmp_path / "new.toml").write_text(WITHOUT_BMI)
    monkeypatch.setattr(contract_changes, "ROOT", tmp_path)
    monkeypatch.setattr(predeploy, "refuse_while_paused", lambda _: None)
    monkeypatch.setattr(predeploy, "follow_cdk", lambda _: {})
    assert 1 == predeploy.main(["--name", "circle", "--stage", "dev"])
    said = capsys.readouterr().err
    assert "bmi is gone" in said
    assert f"contract check {tmp_path / 'new.toml'} --retire" in said
    (tmp_path / "new.toml").write_text(TEXT)
    assert 0 == predeploy.main(["--name", "circle", "--stage", "dev"])


def test_before_the_first_champion_another_contract_is_no_obstacle(
    target: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "churn.toml"
    path.write_text(TEXT.replace('name = "diabetes"', 'name = "churn"'))
    monkeypatch.setattr(Target, "champion", lambda _: None)
    assert [] == contract_changes.announce(target, path)
    assert "" == capsys.readouterr().err
    answer = contract_check.run(target, path)
    assert (0, f"python -m ops up --contract {path}") == (answer.status, answer.next_step)
    assert "No model serves yet, so" in str(answer.shown[0])
    monkeypatch.setattr(Target, "champion", lambda _: object())
    assert ["refused"] == [found.effect for found in contract_changes.announce(target, path)]
    assert "under another name" in capsys.readouterr().err


def test_up_remembers_the_contract_and_says_when_it_is_gone(tmp_path: Path) -> None:
    Laptop(folder=tmp_path).with_contract(str(tmp_path / "gone.toml")).save()
    with pytest.raises(OpsError, match=r"no contract at .*gone\.toml"):
        up.start(Target.on_laptop(Laptop.load(tmp_path)))
