"""Processes of this machine, its settings, the CDK's arguments, the demo's judgement."""

import fcntl
import os
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.deployment import Deployment
from domain.drift.drift import Outcome
from domain.model.champion import LedgerEntry
from ops.commands.data.upload import upload
from ops.commands.machine import down, up
from ops.commands.machine.mail import Mail
from ops.commands.models.ledger import read_entries
from ops.console import Progress, facts, render, table
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import deploy, mlflow_server
from ops.local.demo_figures import Figures, RowsSent, SentMail, list_failures
from ops.local.emulator import emulator_env
from ops.local.processes import Daemon, port_taken, wait_until
from ops.target import Target
from tests.unit.fakes import make_run_result

SLEEPER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]


def _start(daemon: Daemon, command: list[str]) -> None:
    daemon.start(command, env=os.environ, cwd=Path.cwd())
    assert wait_until(lambda: "ready" in daemon.last_line(), seconds=10)


def test_a_process_is_found_again_and_stopped(tmp_path: Path) -> None:
    _start(Daemon("sleeper", tmp_path), SLEEPER)
    again = Daemon("sleeper", tmp_path)

    assert again.pid() is not None
    assert again.stop() is True
    assert again.pid() is None
    assert again.stop() is False


def test_a_process_is_not_started_twice(tmp_path: Path) -> None:
    daemon = Daemon("sleeper", tmp_path)
    _start(daemon, SLEEPER)

    with pytest.raises(OpsError, match="sleeper is already running"):
        daemon.start(SLEEPER, env=os.environ, cwd=Path.cwd())
    daemon.stop()


def test_a_process_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True)"
    daemon = Daemon("deaf", tmp_path)
    _start(daemon, [sys.executable, "-c", f"{deaf}; time.sleep(60)"])

    assert daemon.stop(seconds=0.2) is True
    assert daemon.pid() is None


def test_a_process_is_known_while_another_command_starts_it(tmp_path: Path) -> None:
    """Its file is locked before the process id is in it; an older one must not be taken for it."""
    daemon = Daemon("starting", tmp_path)
    daemon.lock.parent.mkdir(parents=True)
    daemon.lock.write_text(str(os.getpid()))
    seen: list[int | None] = []
    asking = threading.Thread(target=lambda: seen.append(daemon.pid()))
    popen = subprocess.Popen

    def start_slowly(*args: Any, **options: Any) -> "subprocess.Popen[bytes]":
        asking.start()
        time.sleep(0.3)
        return popen(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", start_slowly)
        process = daemon.start(SLEEPER, env=os.environ, cwd=Path.cwd())
    asking.join()
    assert [process.pid] == seen
    daemon.stop()


@pytest.mark.parametrize("text", ["", "garbage", "-1"])
def test_a_locked_file_without_a_process_id_names_none(tmp_path: Path, text: str) -> None:
    """A full disk leaves one."""
    daemon = Daemon("full", tmp_path)
    daemon.lock.parent.mkdir(parents=True)
    daemon.lock.write_text(text)
    with daemon.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert daemon.pid() is None


def test_who_only_asks_keeps_nobody_from_starting_it(tmp_path: Path) -> None:
    daemon = Daemon("asked", tmp_path)
    daemon.lock.parent.mkdir(parents=True)
    daemon.lock.touch()
    with daemon.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        daemon.start(SLEEPER, env=os.environ, cwd=Path.cwd())
        assert daemon.stop() is True


def test_a_stale_file_is_no_process(tmp_path: Path) -> None:
    daemon = Daemon("old", tmp_path)
    daemon.lock.parent.mkdir(parents=True)
    daemon.lock.write_text(str(os.getpid()))

    assert daemon.pid() is None


def test_settings_of_the_laptop_are_remembered(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=4601, mlflow_port=5601, mlflow_db="sqlite:///x")
    laptop.save()

    assert Laptop.load(tmp_path) == laptop
    assert 0 == (tmp_path / "laptop.json").stat().st_mode & 0o077


DAMAGED = ["", "{", "[]", "null", '"x"', '{"aws_port": "4601"}', '{"mlflow_port": null}']
DAMAGED += ['{"contracts": ["a"]}', '{"contracts": {"default": 5}}', '{"name": []}']


@pytest.mark.parametrize("damaged", DAMAGED)
def test_settings_that_cannot_be_read_are_the_defaults(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "laptop.json").write_text(damaged)

    assert Laptop.load(tmp_path) == Laptop(folder=tmp_path)


def test_settings_that_newer_code_wrote_are_read(tmp_path: Path) -> None:
    (tmp_path / "laptop.json").write_text('{"aws_port": 4601, "added_by_newer_code": [1]}')

    assert Laptop(folder=tmp_path, aws_port=4601) == Laptop.load(tmp_path)


def test_the_emulator_gets_nothing_of_the_users_aws(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=4601)
    env = emulator_env(laptop, {"AWS_PROFILE": "hospital", "PATH": "/bin"})

    assert "AWS_PROFILE" not in env
    assert "unix:///nonexistent" == env["DOCKER_HOST"]
    assert "127.0.0.1" == env["BIND_HOST"]
    assert "/bin" == env["PATH"]


def test_this_machine_is_reached_without_the_users_proxy(tmp_path: Path) -> None:
    env = Laptop(folder=tmp_path).env({"NO_PROXY": "intranet"})

    assert "intranet,localhost,127.0.0.1" == env["NO_PROXY"]


def test_a_database_password_is_in_no_argument(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, mlflow_db="postgresql+psycopg2://u:secret@h/db")

    assert mlflow_server.server_env(laptop, {})["MLFLOW_BACKEND_STORE_URI"] == laptop.mlflow_db


def test_the_cdk_is_told_the_ports(tmp_path: Path) -> None:
    laptop = Laptop(folder=tmp_path, aws_port=4601, mlflow_port=5601)
    arguments = deploy.context_arguments(laptop, contract=None, mail_to=None)

    assert "endpoint=http://localhost:4601" in arguments
    assert "mlflow_url=http://127.0.0.1:5601" in arguments
    assert "target=emulator" in arguments


def test_the_reason_of_a_failed_deployment_is_its_error_line(tmp_path: Path) -> None:
    log = tmp_path / "cdk.log"
    log.write_text("synthesising\nError: the contract is bad.\nsee above\n")

    assert "Error: the contract is bad" == deploy._find_reason(log)
    ended = "/venv/bin/python app.py: Subprocess exited with error 1"
    log.write_text(f"Stage dev can't be used: approval must be a bool.\n{ended}\n")
    assert "Stage dev can't be used: approval must be a bool" == deploy._find_reason(log)
    log.write_text(f"{ended}\n")
    assert ended == deploy._find_reason(log)


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    target = Target.on_laptop(Laptop(folder=tmp_path))

    with pytest.raises(OpsError, match="can't share a port"):
        up.start(target, port=4600, mlflow_port=4600)


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        (None, "python -m ops sample-data makes a file"),
        (f"{keys.RAW}a.csv", "python -m ops status"),
        (keys.card("1-0a1b2c3d"), "python -m ops status"),
    ],
    ids=["nothing", "data", "a model"],
)
def test_up_proposes_data_only_where_there_is_none(
    key: str | None,
    advice: str,
    tmp_path: Path,
    moto_bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(up, "start", lambda target, **_: target.laptop)
    monkeypatch.setattr(up, "list_links", lambda _: [])
    monkeypatch.setattr(Target, "bucket", lambda *_: moto_bucket)
    if key:
        moto_bucket.put(key, b"{}")
    assert up.run(Target.on_laptop(Laptop(folder=tmp_path))).next_step.startswith(advice)


def test_a_missing_contract_is_refused_before_anything_starts(tmp_path: Path) -> None:
    target = Target.on_laptop(Laptop(folder=tmp_path))

    with pytest.raises(OpsError, match="There is no contract at"):
        up.start(target, contract=tmp_path / "none.toml")
    assert [] == list(tmp_path.iterdir())


def test_too_little_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "MINIMUM_FREE_BYTES", 2**62)

    with pytest.raises(OpsError, match="GB free"):
        up.start(Target.on_laptop(Laptop(folder=tmp_path)))


def test_ports_cannot_change_under_a_running_service(tmp_path: Path) -> None:
    running = Daemon("emulator", tmp_path)
    _start(running, SLEEPER)

    with pytest.raises(OpsError, match="Running with other settings: emulator"):
        up.start(Target.on_laptop(Laptop(folder=tmp_path)), port=4600)
    running.stop()


def test_forget_removes_what_was_kept(tmp_path: Path) -> None:
    kept = tmp_path / "emulator" / "state" / "s3.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    (tmp_path / "mlflow.db").write_text("")
    target = Target.on_laptop(Laptop(folder=tmp_path))

    down.run(target)
    assert kept.exists()
    down.run(target, forget=True)
    assert not kept.exists()
    assert not (tmp_path / "mlflow.db").exists()


def test_bad_files_are_all_named_and_none_is_uploaded(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.csv").write_text("")

    class NoTarget:
        def bucket(self, name: str) -> None:
            raise AssertionError(name)

    files = [tmp_path / name for name in ("a.txt", "b.csv", "none.csv")]
    with pytest.raises(OpsError) as refusal:
        upload(NoTarget(), files, replace=True)  # type: ignore[arg-type]  # refused before it is used
    assert "a.txt is none of .csv, .csv.gz, .parquet" in str(refusal.value)
    assert "b.csv is empty" in str(refusal.value)
    assert "none.csv is not there" in str(refusal.value)


def test_progress_without_a_terminal_is_a_line_a_quarter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress("work", total=100) as progress:
        for _ in range(100):
            progress.advance()

    assert [
        "work: 25 of 100 rows",
        "work: 50 of 100 rows",
        "work: 75 of 100 rows",
        "work: 100 of 100 rows",
    ] == capsys.readouterr().err.splitlines()


def test_a_table_is_aligned_and_shows_no_control_character() -> None:
    shown = render(table(("a", "bb"), [("1", None), ("2\x1b[31m", "x")]))
    assert ["a       bb", "──────────", "1", "2?[31m  x"] == shown.splitlines()


def test_facts_are_aligned() -> None:
    assert "  a     1\n  long  2\n" == render(facts([("a", "1"), ("long", "2")]))


STABLE = make_run_result("quiet")
DRIFTED = replace(STABLE, run_id="shifted", outcome=Outcome.DATA_DRIFT, drifted=("age",))
MAIL = SentMail(subject="Drift", to=("a@example.org",), file="mail.html", opens=("http://x",))


def _figures(**changed: Any) -> Figures:
    count = RowsSent(sent=10, answered=10, logged=10, distinct=10)
    figures = Figures(
        predictions={"undisturbed": count, "shifted": count},
        runs={"undisturbed": (STABLE,), "shifted": (DRIFTED,)},
        mail=[MAIL],
        incident=("age",),
    )
    for name, value in changed.items():
        setattr(figures, name, value)
    return figures


def test_a_closed_circle_has_no_failure() -> None:
    assert [] == list_failures(_figures())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"predictions": {"a": RowsSent(sent=9, answered=9, logged=9, distinct=8)}},
            "Of 9 a rows 9 were answered and 8 are in the log.",
        ),
        (
            {"runs": {"undisturbed": (DRIFTED,), "shifted": (DRIFTED,)}},
            "The undisturbed run was not quiet: data_drift.",
        ),
        ({"incident": ()}, "No incident is open."),
        (
            {"runs": {"undisturbed": (STABLE,), "shifted": (STABLE,)}},
            "The shift was not found: stable.",
        ),
        (
            {"runs": {"undisturbed": (), "shifted": (DRIFTED,)}},
            "The undisturbed run was not quiet: no run.",
        ),
        ({"mail": []}, "No mail came."),
        ({"mail": [replace(MAIL, opens=())]}, "The mail has no report link that opens."),
    ],
)
def test_what_did_not_hold_is_a_sentence(changed: dict[str, Any], sentence: str) -> None:
    assert [sentence] == list_failures(_figures(**changed))


def test_a_listening_port_is_taken() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert port_taken(listener.getsockname()[1]) is True
    assert port_taken(1) is False


def test_the_ledger_is_read_in_the_order_of_its_keys(moto_bucket: Bucket) -> None:
    made = [
        LedgerEntry(
            seq=n,
            action="promote",
            version=f"{n}-0a1b2c3d",
            previous_version=None,
            execution="e",
            promoted_at=n,
            reasons=("Better.",),
        )
        for n in (1, 2)
    ]
    for entry in reversed(made):
        moto_bucket.put(entry.key, entry.to_json())
    target: Any = SimpleNamespace(models=ModelStore(moto_bucket))

    assert (made, []) == read_entries(target)


def test_an_accounts_key_is_told_as_the_command_that_prints_it(tmp_path: Path) -> None:
    target = Target("dev", None, tmp_path)
    deployment = Deployment(**{field.name: field.name for field in fields(Deployment)})
    target.__dict__["deployment"] = deployment
    told = dict(up.list_links(target))["API key"]
    assert told.startswith("aws apigateway get-api-key --api-key api_key_id --include-value")


def test_commands_in_a_saved_mail_work_in_the_users_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.chdir(tmp_path)
    found = Mail(
        message_id="a",
        sent_at=datetime(2026, 1, 31, tzinfo=UTC),
        recipients=("a@example.org",),
        subject="Drift",
        text="",
        html="<p>or this command: python -m ops acknowledge</p>",
    )
    saved = found.save(Laptop(folder=tmp_path / "here")).read_text()
    program = Path(sys.executable).with_name("ops")
    command = f"{shlex.quote(str(program))} --local {tmp_path}/here acknowledge"
    assert f"<p>or this command: {command}</p>" == saved
