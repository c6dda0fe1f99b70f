"""The command line: every expected failure is one sentence, a next step and an exit status."""

import errno
import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from domain.errors import BadWindow
from ops.cli import COMMANDS, module_of, run
from ops.commands.machine import status
from ops.console import Answer
from ops.errors import OpsError
from ops.hints import name_call
from tests.repository import ROOT

HEAVY = ("boto3", "botocore", "numpy", "pandas", "pyarrow", "mlflow", "optuna", "sqlglot", "psutil")
HELP_SECONDS = 0.5


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the environment that commands may change."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.delenv("MAKELEVEL", raising=False)


def _replace_status(monkeypatch: pytest.MonkeyPatch, result: Answer | BaseException) -> None:
    def fake(target: Any) -> Answer:
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(status, "run", fake)


@pytest.mark.parametrize(
    "failure",
    [
        (OpsError("Port 1 is taken.", "Free it."), "Port 1 is taken.", "Free it.", 1),
        (BadWindow("Not a window."), "Not a window.", "ops --local", 1),
        (KeyboardInterrupt(), "Interrupted.", "down stops everything", 130),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "The emulator doesn't answer.",
            "up",
            1,
        ),
        (NoCredentialsError(), "AWS: Unable to locate credentials", "AWS_PROFILE", 1),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "GetObject"),
            "AWS refused: An error occurred (AccessDenied)",
            "status",
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
    _replace_status(monkeypatch, error)

    assert exit_status == run(["--local", str(tmp_path), "status"])
    printed = capsys.readouterr()
    assert "" == printed.out
    assert sentence in printed.err
    assert next_step in printed.err.splitlines()[-1]
    assert printed.err.splitlines()[-1].startswith("Next: ")
    assert "Traceback" not in printed.err


def test_an_unexpected_error_leaves_its_trace_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _replace_status(monkeypatch, RuntimeError("why"))
    run(["--local", str(tmp_path), "status"])

    assert "RuntimeError: why" in (tmp_path / "logs" / "ops-error.log").read_text()


HINT = Answer(data={}, shown=[], next_step="python -m ops train")


@pytest.mark.parametrize(
    ("path_has_it", "under_make", "expected"),
    [(True, False, "ops"), (False, False, ".venv/bin/ops"), (True, True, ".venv/bin/ops")],
    ids=["on the user's PATH", "not on PATH", "on make's PATH only"],
)
def test_a_hint_works_in_the_users_shell(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path_has_it: bool,
    under_make: bool,
    expected: str,
) -> None:
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent) if path_has_it else os.devnull)
    if under_make:
        monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.chdir(python.parents[2])
    _replace_status(monkeypatch, HINT)

    assert 0 == run(["status"])
    printed = capsys.readouterr()
    assert ("", f"Next: {expected} train\n") == (printed.out, printed.err)


def test_the_name_of_a_module_is_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = "python -m ops.local.emulator_process"
    _replace_status(monkeypatch, Answer(data={}, shown=[], next_step=f"Stop {process}."))
    run(["status"])
    assert f"Next: Stop {process}.\n" == capsys.readouterr().err


@pytest.mark.parametrize("is_set_up", [True, False])
def test_a_hint_from_another_folder_quotes_the_programs_path(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    is_set_up: bool,
) -> None:
    folder = tmp_path / "My Projects"
    folder.mkdir()
    if is_set_up:
        (folder / "ops").touch()
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    _replace_status(monkeypatch, HINT)
    run(["status"])

    program = f"'{folder}/ops'" if is_set_up else f"'{folder}/python' -m ops"
    assert f"Next: {program} train\n" == capsys.readouterr().err
    assert f"{program} --local '{folder}'" == name_call(folder)


@pytest.mark.parametrize(
    "options", [["--stage", "prod"], ["--local", "/my data"]], ids=["a stage", "a folder"]
)
def test_a_hint_keeps_the_global_options(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    _replace_status(monkeypatch, HINT)
    run([*options, "status"])

    given = " ".join(options).replace("/my data", "'/my data'")
    assert f"Next: ops {given} train\n" == capsys.readouterr().err


def test_a_hint_needs_no_folder_that_the_users_shell_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.setenv("OPS_LOCAL", str(tmp_path))
    _replace_status(monkeypatch, HINT)
    run(["status"])
    run(["--local", str(tmp_path / "other"), "status"])

    program = "Next: ops"
    expected = f"{program} train\n{program} --local {tmp_path}/other train\n"
    assert expected == capsys.readouterr().err


def test_with_json_stdout_is_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer(data={"a": [1, None]}, shown=["a is 1"], next_step="python -m ops train")
    _replace_status(monkeypatch, answer)
    run(["status", "--json"])

    printed = capsys.readouterr()
    assert {"a": [1, None]} == json.loads(printed.out)
    assert "" == printed.err


def test_problems_that_were_found_are_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_status(monkeypatch, Answer(data={}, shown=["1 problem"], status=1))

    assert 1 == run(["status"])


def test_without_a_stage_no_setting_of_the_users_reaches_aws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.environ.update({"AWS_PROFILE": "hospital", "AWS_SESSION_TOKEN": "x"})
    _replace_status(monkeypatch, HINT)
    run(["--local", str(tmp_path), "status"])

    seen = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert "http://127.0.0.1:4566" == seen["AWS_ENDPOINT_URL"]
    assert {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}.items() <= (
        seen.items()
    )
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(seen)


def test_on_this_machine_the_users_aws_files_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    accelerated = "[default]\ns3 =\n  use_accelerate_endpoint = true\n"
    (tmp_path / ".aws" / "config").write_text(accelerated)
    monkeypatch.setenv("HOME", str(tmp_path))
    _replace_status(monkeypatch, HINT)
    run(["--local", str(tmp_path), "status"])

    from adapters import aws

    assert "use_accelerate_endpoint" not in aws.client("s3").meta.config.s3


def test_with_a_stage_the_users_settings_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.environ.update({"AWS_PROFILE": "hospital"})
    os.environ.pop("AWS_ENDPOINT_URL", None)
    _replace_status(monkeypatch, HINT)
    run(["--local", str(tmp_path), "--stage", "prod", "status"])

    assert "hospital" == os.environ["AWS_PROFILE"]
    assert "AWS_ENDPOINT_URL" not in os.environ


@pytest.mark.parametrize("command", ["up", "down", "demo", "mail"])
def test_commands_of_the_laptop_refuse_a_stage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    assert 1 == run(["--local", str(tmp_path), "--stage", "prod", command])
    assert f"`{command}` works on this machine only." in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    module = importlib.import_module(module_of(command))
    entry = COMMANDS[command]

    assert 0 == run([command, "--help"])
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert entry.examples
    for example in entry.examples:
        assert f"ops {command} {example}".strip() in shown
    assert (inspect.getdoc(module.run) or "").startswith(entry.summary.rstrip("."))


@pytest.mark.parametrize("arguments", [["no-such-command"], ["train", "--trials", "many"], []])
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    assert 2 == run(arguments)


def test_the_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["--help"])
    shown = capsys.readouterr().out
    for code in ("0", "1", "2", "70", "130"):
        assert any(line.split()[:1] == [code] for line in shown.splitlines())


def _ops(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["query", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from ops.cli import run; run(sys.argv[1:]);"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[]" == done.stderr.strip()


def test_help_takes_less_than_half_a_second() -> None:
    """In processor time, the best of five, so that a busy machine doesn't count."""
    used = []
    for _ in range(5):
        before = os.times()
        assert 0 == _ops("--help").wait(timeout=60)
        after = os.times()
        used.append(
            after.children_user
            - before.children_user
            + after.children_system
            - before.children_system
        )
    assert HELP_SECONDS > min(used)


def test_output_in_a_pipe_has_no_colours() -> None:
    done = _ops("--help", env={**os.environ, "TERM": "xterm-256color"})
    shown, _ = done.communicate(timeout=60)
    assert "Usage" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("module", ["ops.cli", "typer", "ops.session", "ops.commands.data.query"])
def test_an_interrupt_while_modules_are_imported_is_no_traceback(module: str) -> None:
    code = (
        "import runpy, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "runpy.run_module('ops', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "query", "SELECT 1"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (130, "Interrupted.\n") == (done.returncode, done.stderr)


def test_a_reader_that_stops_early_is_no_failure(tmp_path: Path) -> None:
    code = (
        "import sys; from ops import cli; from ops.commands.machine import status;"
        "from ops.console import Answer;"
        "status.run = lambda target: Answer(data=list(range(200_000)), shown=[]);"
        "sys.exit(cli.run(['--local', sys.argv[1], 'status', '--json']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert b"" == process.stderr.read()
    assert 0 == process.wait(timeout=60)


def test_every_command_and_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    assert [] == [name for name in COMMANDS if f"\n| `{name}` |" not in page]
    assert [] == [code for code in (0, 1, 2, 70, 130) if f"\n| {code} |" not in page]
