"""The command `doctor`: what it prints, its exit status, and where it stops asking."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.cli import run
from ops.commands.machine import doctor
from ops.doctor.account import AccountChecks
from ops.doctor.finding import Finding, note, ok, problem
from ops.laptop import Laptop
from ops.target import Target
from tests.unit.ops.doctor.recorded import record


@pytest.mark.parametrize(
    ("findings", "status", "summary"),
    [
        ([ok("Fine.")], 0, "1 ok."),
        ([ok("Fine."), note("Slow.", "Wait.")], 0, "1 note, 1 ok."),
        ([note("Slow.", "Wait.")] + [problem("Gone.", "python -m ops up")] * 2, 1, "2 problems, 1"),
    ],
)
def test_a_problem_is_told_with_a_command_that_works_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    findings: Sequence[Finding],
    status: int,
    summary: str,
) -> None:
    folder = Path("nowhere").resolve()
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: [("any", f) for f in findings])

    assert status == run(["--local", str(folder), "doctor"])
    printed = capsys.readouterr()
    assert summary in printed.out
    for finding in findings:
        assert finding.sentence in printed.out
    if status:
        assert f"ops --local {folder} up" in printed.out
        assert printed.err.endswith(f"ops --local {folder} up\n")


def test_without_credentials_nothing_else_is_asked() -> None:
    target = record(sts=[("get_caller_identity", "InvalidClientTokenId")])
    assert ["credentials"] == [name for name, _ in doctor.examine(target)]


def test_on_a_machine_where_nothing_runs_only_the_machine_is_asked(tmp_path: Path) -> None:
    found = doctor.examine(Target.on_laptop(Laptop(folder=tmp_path)))
    assert {"Python", "CDK", "disk", "processes"} == {name for name, _ in found}
    assert ("processes", note("Nothing runs on this machine.", "python -m ops up")) == found[-1]


def test_a_first_deployment_is_checked_before_anything_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        AccountChecks,
        "checks",
        property(lambda self: (_check(self.check_credentials, "credentials"),)),
    )
    identity = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}
    target = record(
        deployed=False,
        sts=[("get_caller_identity", identity)],
        cloudformation=[("describe_stacks", "ValidationError")] * 5,
    )
    assert ["credentials", "stacks"] == [name for name, _ in doctor.examine(target)]


def _check(ask: object, name: str) -> object:
    from ops.doctor.finding import Check

    return Check(name, ask)  # type: ignore[arg-type]  # the method of another test's object
