"""The container's parent process reports every way in which a step can end."""

import functools
import os
import resource
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from adapters.task_token import TokenClosed
from domain.failures import ADVICE, UNEXPECTED
from tests.unit.fakes import client_error
from training_job.errors import BadData, PointerLost
from training_job.supervisor import supervise


@dataclass
class FakeToken:
    """Remembers what it was told; closed once a file is there; fails with `errors` first."""

    closed_by: Path | None = None
    errors: list[Exception] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    beats: int = 0

    def beat(self) -> None:
        self.beats += 1
        if self.closed_by is not None and self.closed_by.exists():
            raise TokenClosed

    def succeed(self, output: Mapping[str, Any]) -> None:
        if self.errors:
            raise self.errors.pop()
        self.told.append(("success", dict(output)))

    def fail(self, error: str, cause: str) -> None:
        self.told.append((error, cause))


def _succeed() -> dict[str, Any]:
    return {"rows": 3}


def _refuse() -> dict[str, Any]:
    raise BadData("raw/a.csv is an empty file.")


def _killed() -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _starved() -> dict[str, Any]:
    """A real limit on the process's memory, as a small container has it."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**31, hard))
    return {"length": len(bytearray(2**32))}


def _surprised() -> dict[str, Any]:
    raise KeyError("a patient's value")


def _without_pointer() -> dict[str, Any]:
    raise PointerLost("The champion pointer is gone.")


def _exited() -> dict[str, Any]:
    os._exit(7)


def _forever(started: Path) -> dict[str, Any]:
    started.with_suffix(".new").write_text(str(os.getpid()))
    started.with_suffix(".new").rename(started)
    while True:
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (_succeed, ("success", {"rows": 3})),
        (_refuse, ("BadData", "raw/a.csv is an empty file.")),
        (_killed, ("OutOfMemory", "Give the training task more memory")),
        (_starved, ("OutOfMemory", "Give the training task more memory")),
        (_exited, ("StepDied", "exit code 7")),
        (_surprised, ("KeyError", "The step failed with KeyError.")),
    ],
)
def test_the_state_machine_hears_how_the_step_ended(step: Any, told: tuple[Any, ...]) -> None:
    token = FakeToken()
    supervise(step, token=token, beat_seconds=60)  # type: ignore[arg-type]  # a fake
    ((name, detail),) = token.told
    assert told[0] == name
    assert told[1] == detail or told[1] in detail
    assert "patient" not in str(detail)
    if name != "success":
        first, sentence = detail.split("\n")
        assert first in {*ADVICE.values(), UNEXPECTED}
        assert sentence


def test_the_advice_names_the_command_line_as_the_deployment_calls_it() -> None:
    token = FakeToken()
    supervise(_without_pointer, token=token, operator="ops --stage dev")  # type: ignore[arg-type]  # a fake
    ((name, detail),) = token.told
    assert "PointerLost" == name
    assert detail.splitlines()[0].endswith(": ops --stage dev repair pointer")


def test_a_closed_token_stops_the_step_at_once(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    token = FakeToken(closed_by=started)
    outcome = supervise(
        functools.partial(_forever, started),
        token=token,  # type: ignore[arg-type]  # a fake
        beat_seconds=0.1,
    )
    assert "TokenClosed" == outcome.error
    assert [] == token.told
    assert not _is_alive(int(started.read_text()))


def test_sigterm_is_reported_as_interrupted(tmp_path: Path) -> None:
    started, token = tmp_path / "pid", FakeToken()

    def terminate_once_started() -> None:
        deadline = time.monotonic() + 30
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=terminate_once_started)
    thread.start()
    supervise(functools.partial(_forever, started), token=token, beat_seconds=60)  # type: ignore[arg-type]  # a fake
    thread.join()
    assert before == signal.getsignal(signal.SIGTERM)
    assert "Interrupted" == token.told[0][0]
    assert not _is_alive(int(started.read_text()))


@pytest.mark.parametrize(
    "error", [client_error("ThrottlingException"), EndpointConnectionError(endpoint_url="here")]
)
def test_a_result_that_is_not_heard_is_told_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("training_job.supervisor.REPORT_PAUSE_SECONDS", 0.001)
    token = FakeToken(errors=[error, error])
    outcome = supervise(_succeed, token=token)  # type: ignore[arg-type]  # a fake
    assert [("success", {"rows": 3})] == token.told
    assert {"rows": 3} == outcome.result


def test_a_result_that_nobody_hears_for_long_ends_the_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an exit code that doesn't say that it was reported: the watcher speaks for it."""
    monkeypatch.setattr("training_job.supervisor.REPORT_SECONDS", 0.0)
    token = FakeToken(errors=[client_error("ThrottlingException")])
    with pytest.raises(ClientError):
        supervise(_succeed, token=token)  # type: ignore[arg-type]  # a fake
    assert [] == token.told


def test_a_task_that_starts_after_its_state_is_over_stops_before_it_works(tmp_path: Path) -> None:
    started, closed = tmp_path / "pid", tmp_path / "closed"
    closed.touch()
    token = FakeToken(closed_by=closed)
    outcome = supervise(
        functools.partial(_forever, started),
        token=token,  # type: ignore[arg-type]  # a fake
        beat_seconds=3600,
    )
    assert ("TokenClosed", 1) == (outcome.error, token.beats)
