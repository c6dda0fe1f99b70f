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

from adapters.task_token import TokenClosed
from domain.failures import ADVICE, UNEXPECTED
from training_job.errors import BadData
from training_job.supervisor import supervise


@dataclass
class FakeToken:
    """Remembers what it was told; closed once a file is there."""

    closed_by: Path | None = None
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def beat(self) -> None:
        if self.closed_by is not None and self.closed_by.exists():
            raise TokenClosed

    def succeed(self, output: Mapping[str, Any]) -> None:
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
    try:
        supervise(functools.partial(_forever, started), token=token, beat_seconds=60)  # type: ignore[arg-type]  # a fake
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert "Interrupted" == token.told[0][0]
    assert not _is_alive(int(started.read_text()))
