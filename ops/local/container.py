"""A container of an ECS task as a process of this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.laptop import ROOT
from ops.local.processes import Daemon

DEFAULT_STOP_SECONDS = 30.0
"""Seconds that ECS waits between SIGTERM and SIGKILL by default."""

_FROM_SOURCE = ":source"
"""The tag of the images that stand for this checkout."""


class UnknownImage(Exception):
    """The image isn't one whose source is in the checkout, or doesn't run Python."""


@dataclass(frozen=True, slots=True)
class Container:
    """What to run: the command after ``python``, and its environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    essential: bool
    stop_seconds: float

    @classmethod
    def of(cls, definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> "Container":
        """A container definition with the overrides of a task; raises UnknownImage."""
        override: Mapping[str, Any] = next(
            (
                entry
                for entry in overrides.get("containerOverrides", [])
                if entry.get("name") == definition["name"]
            ),
            {},
        )
        image = definition["image"]
        command = [
            *(definition.get("entryPoint") or []),
            *(override.get("command") or definition.get("command") or []),
        ]
        if not image.endswith(_FROM_SOURCE) or command[:1] != ["python"]:
            raise UnknownImage(image)
        return cls(
            name=definition["name"],
            command=tuple(command[1:]),
            environment=_pairs(definition) | _pairs(override),
            essential=definition.get("essential", True),
            stop_seconds=float(definition.get("stopTimeout") or DEFAULT_STOP_SECONDS),
        )


@dataclass(slots=True)
class ContainerProcess:
    """A started container, or one that an earlier agent started."""

    container: Container
    daemon: Daemon
    process: "subprocess.Popen[bytes] | None" = None
    asked_to_stop: float | None = field(default=None)

    def start(self, env: Mapping[str, str]) -> None:
        """Run it, in a session of its own; raises OpsError."""
        command = [sys.executable, *self.container.command]
        environment = {**env, "PYTHONUNBUFFERED": "1", **self.container.environment}
        self.process = self.daemon.start(command, env=environment, cwd=ROOT)

    def alive(self) -> bool:
        """Whether it still runs."""
        if self.process is not None:
            return self.process.poll() is None
        return self.daemon.pid() is not None

    def exit_code(self) -> int | None:
        """Its exit code, where this agent started it."""
        return self.process.poll() if self.process is not None else None

    def ask_to_stop(self, now: float | None = None) -> None:
        """Send SIGTERM at the first call, and SIGKILL once the grace period is over."""
        now = time.monotonic() if now is None else now
        pid = self.process.pid if self.process is not None else self.daemon.pid()
        if pid is None or not self.alive():
            return
        with contextlib.suppress(ProcessLookupError):  # it may end meanwhile
            if self.asked_to_stop is None:
                self.asked_to_stop = now
                os.kill(pid, signal.SIGTERM)
            elif now - self.asked_to_stop >= self.container.stop_seconds:
                os.killpg(pid, signal.SIGKILL)

    def clean_up(self) -> None:
        """End what a dead container's process left behind."""
        if self.process is not None and not self.alive():
            self.daemon.end_group(self.process.pid)


def process_of(
    container: Container, task_id: str, folder: Path, *, alone: bool
) -> ContainerProcess:
    """The process of a task's container; `alone` when it is the task's only one."""
    name = task_id if alone else f"{task_id}-{container.name}"
    return ContainerProcess(container, Daemon(f"tasks/{name}", folder))


def _pairs(entry: Mapping[str, Any]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in entry.get("environment") or []}
