"""The command line: every expected failure is one sentence, a next step and an exit status."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from domain.errors import BadWindow
from ops.__main__ import COMMANDS, main
from ops.commands import status
from ops.errors import OpsError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the environment that commands may change."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def _fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(*_: Any) -> str:
        raise error

    monkeypatch.setattr(status, "run", run)


@pytest.mark.parametrize(
    "failure",
    [
        (OpsError("Port 1 is taken.", "Free it."), "Port 1 is taken.", "Free it.", 1),
        (BadWindow("Not a window."), "Not a window.", "python -m ops status", 1),
        (KeyboardInterrupt(), "Interrupted.", "python -m ops down stops all", 130),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "The emulator doesn't answer.",
            "python -m ops up",
            1,
        ),
        (NoCredentialsError(), "AWS: Unable to locate credentials", "AWS_PROFILE", 1),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "GetObject"),
            "AWS refused: An error occurred (AccessDenied)",
            "python -m ops status",
            1,
        ),
        (OSError(errno.ENOSPC, "No space left"), "no space left on the disk", "Free some", 1),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "Permission denied (x).", "", 1),
        (RuntimeError("secret"), "Something unexpected failed (RuntimeError).", "Read ", 70),
    ],
)
def test_failures_are_a_sentence_without_a_trace(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    failure: tuple[BaseException, str, str, int],
) -> None:
    error, sentence, next_step, exit_status = failure
    _fail(monkeypatch, error)

    assert main(["--local", str(tmp_path), "status"]) == exit_status
    printed = capsys.readouterr().err
    assert sentence in printed
    assert next_step in printed.splitlines()[-1]
    assert printed.splitlines()[-1].startswith("Next: ")
    assert "Traceback" not in printed


def test_an_unexpected_error_leaves_its_trace_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _fail(monkeypatch, RuntimeError("why"))
    main(["--local", str(tmp_path), "status"])

    assert "RuntimeError: why" in (tmp_path / "logs" / "ops-error.log").read_text()


@pytest.mark.parametrize("active", [True, False])
def test_success_says_what_to_do_next_in_words_the_users_shell_understands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], active: bool
) -> None:
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent) if active else os.devnull)
    monkeypatch.chdir(python.parents[1])
    monkeypatch.setattr(status, "run", lambda *_: "python -m ops train")

    assert main(["status"]) == 0
    expected = "python" if active else python.relative_to(Path.cwd())
    assert f"Next: {expected} -m ops train\n" == capsys.readouterr().out


def test_without_a_stage_no_setting_of_the_users_reaches_aws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.environ.update({"AWS_PROFILE": "hospital", "AWS_SESSION_TOKEN": "x"})
    monkeypatch.setattr(status, "run", lambda *_: "")
    main(["--local", str(tmp_path), "status"])

    seen = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(seen)


def test_with_a_stage_the_users_settings_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.environ.update({"AWS_PROFILE": "hospital"})
    os.environ.pop("AWS_ENDPOINT_URL", None)
    monkeypatch.setattr(status, "run", lambda *_: "")
    main(["--local", str(tmp_path), "--stage", "prod", "status"])

    assert os.environ["AWS_PROFILE"] == "hospital"
    assert "AWS_ENDPOINT_URL" not in os.environ


@pytest.mark.parametrize("command", ["up", "down", "demo", "mail"])
def test_commands_of_the_laptop_refuse_a_stage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    assert main(["--local", str(tmp_path), "--stage", "prod", command]) == 1
    assert f"`{command}` works on this machine only." in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])

    assert COMMANDS[command] in capsys.readouterr().out.replace("\n", " ")
