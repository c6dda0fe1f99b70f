"""Detached processes of this machine: started once, found again later, stopped for good.

A process holds a lock on its own file for as long as it lives (the open descriptor is inherited),
so neither a stale file nor a process id that was reused can mislead. All that it starts carries
the file's path in its environment, so that workers which outlive their leader are found too.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ops.errors import OpsError

if TYPE_CHECKING:
    import psutil

MARK = "OPS_DAEMON"
"""Environment variable of a daemon and of all that it starts: the path of its lock."""

STARTING_SECONDS = 1.0
"""How long it may take to write a process id into the locked file."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """One named background process with its lock and log in a folder."""

    name: str
    folder: Path

    @property
    def lock(self) -> Path:
        """The file that it keeps locked; holds its process id."""
        return self.folder / "run" / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / "logs" / f"{self.name}.log"

    def pid(self) -> int | None:
        """Its process id, or None when it doesn't run."""
        try:
            with self.lock.open("r+") as file:
                # Shared: two who ask at once don't take each other for the process.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            # Whoever starts it has the lock first, and writes the id as soon as there is one.
            wait_until(self._names_process, seconds=STARTING_SECONDS, pause=0.01)
            text = self.lock.read_text()
            return int(text) if text.isdecimal() else None

    def _names_process(self) -> bool:
        return self.lock.read_text().isdecimal()

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path
    ) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own; raises OpsError when the machine refuses."""
        try:
            for path in (self.lock, self.log):
                path.parent.mkdir(parents=True, exist_ok=True)
            with self.lock.open("a+") as lock, self.log.open("ab") as log:
                self._take(lock)
                lock.truncate(0)  # it may hold the id of a process that ended long ago
                process = subprocess.Popen(
                    command,
                    env={**env, MARK: str(self.lock)},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(lock.fileno(),),
                )
                lock.write(str(process.pid))
                return process
        except BlockingIOError:
            raise OpsError(f"{self.name} is already running.", "python -m ops status") from None
        except OSError as error:
            raise OpsError(
                f"{self.name} can't be started: {error.strerror or error}.",
                "Free some space or memory, then run the command again.",
            ) from None

    def _take(self, lock: IO[str]) -> None:
        """Lock the file; raises BlockingIOError unless who has it only asks whether it runs."""
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline or self.pid() is not None:
                    raise
            else:
                return

    def stop(self, *, seconds: float = 20.0) -> bool:
        """End it and all that it started, by force if need be; True when anything ran."""
        pid = self.pid()
        if pid is not None:
            for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
                # Only its leader first: a server ends its own workers in order.
                _send_signal(pid, number, group=number == signal.SIGKILL)
                if wait_until(lambda: self.pid() is None, seconds=patience):
                    break
            self.end_group(pid)
        return self.end_remains() or pid is not None

    def remains(self) -> "list[psutil.Process]":
        """What a dead leader left running, whatever session it is in."""
        return [] if self.pid() is not None else _marked_with(str(self.lock))

    def end_remains(self) -> bool:
        """End what a dead leader left running; True when there was something."""
        left = self.remains()
        if not left:
            return False
        import psutil

        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(left, timeout=5.0)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5.0)
        return True

    @staticmethod
    def end_group(pid: int) -> None:
        """End what a dead leader left behind in its session."""
        _send_signal(pid, signal.SIGTERM, group=True)

    def last_line(self) -> str:
        """The last line of its log, for a message that says why it ended."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> bool:
    """Poll until the condition holds; False when it didn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def port_taken(port: int) -> bool:
    """Whether something on this machine listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def describe_port_owner(port: int) -> str:
    """Describe who listens on a port: process id, command, and the folder it belongs to."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            listens = any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
                for connection in process.net_connections(kind="tcp")
            )
            if listens:
                command = " ".join(process.cmdline())[:80] or process.name()
                lock = process.environ().get(MARK, "")
                owner = f", which belongs to {Path(lock).parent.parent}" if lock else ""
                return f"process {process.pid} ({command}){owner}"
    return "a process of another user"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _marked_with(lock: str) -> "list[psutil.Process]":
    """Processes that carry this lock's path, except this one and those it runs in."""
    import psutil

    own = psutil.Process()
    excluded = {own.pid, *(parent.pid for parent in own.parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in excluded and process.environ().get(MARK) == lock:
                found.append(process)
    return found


def _send_signal(pid: int, number: int, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)
