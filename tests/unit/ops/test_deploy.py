"""`cdk bootstrap` and `cdk deploy`: paths with blanks, and starts that were interrupted."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import deploy
from ops.target import Target
from tests.unit.fakes import client_error


class Toolkit:
    """CloudFormation and SSM of an emulator: the toolkit's stack and its version."""

    def __init__(self, status: str | None, *, version: bool, deletable: bool = True) -> None:
        self.status, self.version, self.deletable = status, version, deletable

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self.status is None:
            raise client_error("ValidationError", "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.status}]}

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if not self.version:
            raise client_error("ParameterNotFound", "GetParameter")
        return {"Parameter": {"Name": Name, "Value": "21"}}

    def delete_stack(self, StackName: str) -> None:
        if self.deletable:
            self.status = None


def _deploy(monkeypatch: pytest.MonkeyPatch, folder: Path, toolkit: Toolkit) -> list[list[str]]:
    """The CDK's commands, which bootstrap as they should."""
    commands: list[list[str]] = []

    def run(command: list[str], *_: Any, **__: Any) -> None:
        commands.append(command[2:])
        if command[2] == "bootstrap":
            assert toolkit.status is None
            toolkit.status, toolkit.version = "CREATE_COMPLETE", True

    monkeypatch.setattr(Target, "client", lambda *_, **__: toolkit)
    monkeypatch.setattr(deploy, "_run", run)
    monkeypatch.setattr(deploy, "CLI", Path(__file__))
    deploy.deploy(Laptop(folder=folder), {}, contract=None, mail_to=None)
    return commands


@pytest.mark.parametrize(
    "toolkit",
    [
        Toolkit(None, version=False),
        Toolkit("CREATE_COMPLETE", version=False),
        Toolkit("CREATE_IN_PROGRESS", version=True),
        Toolkit("REVIEW_IN_PROGRESS", version=False),
        Toolkit("ROLLBACK_COMPLETE", version=False),
        Toolkit("DELETE_FAILED", version=True),
    ],
    ids=lambda found: f"{found.status}, {found.version}",
)
def test_a_bootstrap_that_is_missing_or_half_made_is_made_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toolkit: Toolkit
) -> None:
    commands = _deploy(monkeypatch, tmp_path, toolkit)
    assert ["bootstrap", "deploy"] == [command[0] for command in commands]


def test_a_whole_bootstrap_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands = _deploy(monkeypatch, tmp_path, Toolkit("CREATE_COMPLETE", version=True))
    assert ["deploy"] == [command[0] for command in commands]


def test_a_half_made_bootstrap_that_stays_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deploy, "DELETE_SECONDS", 0.0)
    toolkit = Toolkit("CREATE_COMPLETE", version=False, deletable=False)
    with pytest.raises(OpsError, match="half-made stack CDKToolkit"):
        _deploy(monkeypatch, tmp_path, toolkit)


def test_the_interpreters_path_may_hold_blanks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "/home/me/My Projects/circle/.venv/bin/python")
    (command,) = _deploy(monkeypatch, tmp_path, Toolkit("CREATE_COMPLETE", version=True))
    app = command[command.index("--app") + 1]
    assert [sys.executable, "app.py"] == shlex.split(app)


def test_the_deployments_name_is_the_applications_context(tmp_path: Path) -> None:
    arguments = deploy.context_arguments(
        Laptop(folder=tmp_path, name="churn"), contract=None, mail_to=None
    )
    assert "name=churn" in arguments
