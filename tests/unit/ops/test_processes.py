"""Processes that outlive their leader, ports of other programs, whose emulator is whose."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local import emulator, mlflow_server
from ops.local.processes import Daemon, describe_port_owner, free_port, port_taken, wait_until
from ops.target import Target

LISTENER = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))"
WORKER = f"{LISTENER}; time.sleep(60)"
LEADER = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-c', {WORKER!r}, sys.argv[1]]); time.sleep(60)"
)
"""A server whose worker, in the same session, has the port."""


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[tuple[Daemon, int]]:
    """A daemon whose leader was killed while its worker goes on, and the worker's port."""
    daemon, port = Daemon("mlflow", tmp_path), free_port()
    daemon.start([sys.executable, "-c", LEADER, str(port)], env=os.environ, cwd=Path.cwd())
    assert wait_until(lambda: port_taken(port), seconds=20)
    pid = daemon.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert daemon.pid() is None
    assert port_taken(port)
    yield daemon, port
    daemon.end_remains()


def test_stop_ends_what_a_killed_leader_left(orphan: tuple[Daemon, int]) -> None:
    daemon, port = orphan
    assert daemon.stop() is True
    assert wait_until(lambda: not port_taken(port), seconds=5)
    assert daemon.stop() is False


def test_a_killed_servers_worker_does_not_keep_its_port(
    orphan: tuple[Daemon, int], tmp_path: Path
) -> None:
    _, port = orphan
    mlflow_server.check_port(Laptop(folder=tmp_path, mlflow_port=port))
    assert wait_until(lambda: not port_taken(port), seconds=5)


@pytest.fixture
def stranger() -> Iterator[tuple[int, int]]:
    """``(process id, port)`` of a program that nobody here has started."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", WORKER, str(port)]) as process:
        assert wait_until(lambda: port_taken(port), seconds=20)
        yield process.pid, port
        process.kill()


def test_a_ports_owner_is_named(stranger: tuple[int, int], tmp_path: Path) -> None:
    pid, port = stranger
    with pytest.raises(OpsError, match=f"Port {port} is taken by process {pid} "):
        mlflow_server.check_port(Laptop(folder=tmp_path, mlflow_port=port))
    with pytest.raises(OpsError, match=f"Port {port} is taken by process {pid} "):
        emulator.check_port(Laptop(folder=tmp_path, aws_port=port))
    assert port_taken(port)  # and it is left alone


def test_an_owner_of_another_checkout_is_named_with_its_folder(tmp_path: Path) -> None:
    other, port = Daemon("emulator", tmp_path / "other"), free_port()
    other.start([sys.executable, "-c", WORKER, str(port)], env=os.environ, cwd=Path.cwd())
    assert wait_until(lambda: port_taken(port), seconds=20)
    try:
        assert f"which belongs to {tmp_path / 'other'}" in describe_port_owner(port)
        # Its emulator answers on our port, and no command of ours may write into it.
        ours = Target.on_laptop(Laptop(folder=tmp_path / "ours", aws_port=port))
        with pytest.raises(OpsError, match=f"{tmp_path / 'ours'} doesn't run; its port {port}"):
            ours.client("s3")
    finally:
        other.stop()


def test_without_an_emulator_a_command_says_so(tmp_path: Path) -> None:
    target = Target.on_laptop(Laptop(folder=tmp_path, aws_port=free_port()))
    with pytest.raises(OpsError, match=r"^The emulator doesn't run\.$"):
        target.client("s3")


def test_a_listener_of_this_very_process_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"process {os.getpid()} " in describe_port_owner(server.getsockname()[1])
