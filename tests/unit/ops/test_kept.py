"""Nothing on this machine is deleted that nobody asked to delete."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ops.commands.machine import down, up
from ops.console import Checklist
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import deploy, emulator, log_columns, mlflow_server, task_agent
from ops.target import Target

OBJECT = Path("emulator", "s3", "000000000000", "models", "champion.json")


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    """A folder in which an emulator has stored an object."""
    (tmp_path / OBJECT).parent.mkdir(parents=True)
    (tmp_path / OBJECT).write_text("{}")
    (tmp_path / "mlflow.db").write_text("runs")
    return Laptop(folder=tmp_path)


def _save_state(laptop: Laptop, text: str = "{}") -> None:
    state = laptop.folder / "emulator" / "state" / "s3.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(text)


def _start(
    monkeypatch: pytest.MonkeyPatch,
    laptop: Laptop,
    started: list[str],
    *,
    saves: bool = True,
    knows: bool = True,
) -> None:
    """Run `up` with services that only note that they were started."""
    monkeypatch.setattr(up, "MINIMUM_FREE_BYTES", 0)
    monkeypatch.setattr(up, "_check_space", lambda _: None)
    for service in (emulator, mlflow_server):
        monkeypatch.setattr(service, "check_port", lambda _: None)

    def start(*_: Any) -> bool:
        started.append("start")
        return True

    def save(found: Laptop) -> bool:
        started.append("save")
        if saves:
            _save_state(found)
        return knows

    monkeypatch.setattr(emulator, "start", start)
    monkeypatch.setattr(emulator, "save", save)
    monkeypatch.setattr(log_columns, "check", lambda *_: None)
    monkeypatch.setattr(deploy, "deploy", lambda *_, **__: started.append("deploy"))
    monkeypatch.setattr(Target, "deployment", _Deployment())
    monkeypatch.setattr(mlflow_server, "start", lambda *_: True)
    monkeypatch.setattr(mlflow_server, "wait", lambda _: None)
    monkeypatch.setattr(task_agent, "start", lambda *_: True)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    stations = Checklist()
    up.start(Target.on_laptop(laptop), stations=stations)
    assert ["emulator", "stacks", "MLflow and task agent"] == list(stations.seconds)


class _Deployment:
    cluster = "c"


def test_up_keeps_what_an_emulator_left_that_was_killed_in_its_first_session(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _start(monkeypatch, laptop, [])
    (kept,) = laptop.folder.glob("unsaved-*")
    assert "{}" == (kept / OBJECT).read_text()
    assert "runs" == (kept / "mlflow.db").read_text()
    assert f"The old files are in {kept}" in capsys.readouterr().err


def test_up_uses_what_a_saved_emulator_left(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save_state(laptop)
    started: list[str] = []
    _start(monkeypatch, laptop, started)
    assert ["start", "deploy", "save"] == started
    assert "{}" == (laptop.folder / OBJECT).read_text()
    assert [] == list(laptop.folder.glob("unsaved-*"))


def test_every_up_saves_the_state_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    _start(monkeypatch, Laptop(folder=tmp_path), started)
    assert ["start", "deploy", "save"] == started
    assert emulator.has_state(Laptop(folder=tmp_path))


@pytest.mark.parametrize("saved_before", [False, True])
def test_a_state_that_cannot_be_saved_stops_an_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved_before: bool
) -> None:
    laptop = Laptop(folder=tmp_path)
    if saved_before:
        _save_state(laptop)
        state = tmp_path / "emulator" / "state" / "s3.json"
        os.utime(state, (time.time() - 3600,) * 2)
    with pytest.raises(OpsError, match="can't save its state"):
        _start(monkeypatch, laptop, [], saves=False)


def test_an_emulator_of_an_older_checkout_that_saved_before_goes_on(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save_state(laptop)
    state = laptop.folder / "emulator" / "state" / "s3.json"
    os.utime(state, (time.time() - 3600,) * 2)
    started: list[str] = []
    _start(monkeypatch, laptop, started, saves=False, knows=False)
    assert ["start", "deploy", "save"] == started


@pytest.mark.parametrize(
    ("state", "age_seconds", "expected"),
    [("{}", 0, 0), ("{}", 3600, 1), ("{", 0, 1), (None, 0, 1)],
    ids=["saved", "not saved again", "cut short by a full disk", "never saved"],
)
def test_down_says_whether_the_state_was_saved(
    laptop: Laptop,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    age_seconds: int,
    expected: int,
) -> None:
    def stop(_: Laptop) -> bool:
        if state is not None:
            _save_state(laptop, state)
            then = time.time() + 1 - age_seconds
            os.utime(laptop.folder / "emulator" / "state" / "s3.json", (then, then))
        return True

    monkeypatch.setattr(emulator, "stop", stop)
    answer = down.run(Target.on_laptop(laptop))
    assert expected == answer.status
    assert ("are kept in" in str(answer.shown[-1])) == (expected == 0)
    assert (laptop.folder / OBJECT).exists()


def test_settings_are_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Laptop(folder=tmp_path, aws_port=4601).save()

    def fail(document: Any, file: Any, **_: Any) -> None:
        file.write("{")
        raise OSError("No space left on device")

    monkeypatch.setattr(json, "dump", fail)
    with pytest.raises(OSError, match="No space left"):
        Laptop(folder=tmp_path, aws_port=4602).save()
    assert 4601 == Laptop.load(tmp_path).aws_port
    assert ["laptop.json"] == [path.name for path in tmp_path.iterdir()]
