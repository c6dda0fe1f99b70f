"""Checks of this machine: its packages, its disk, and the background processes of `up`."""

import importlib.metadata
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from domain.plural import agree, write_count
from ops.doctor.finding import Check, Finding, note, ok, problem
from ops.laptop import ROOT
from ops.local import deploy, emulator, mlflow_server, task_agent
from ops.local.processes import Daemon, describe_port_owner, port_taken
from ops.target import Target

MINIMUM_PYTHON = (3, 11)
MINIMUM_FREE_BYTES = 2 * 1024**3
SHOWN = 3
"""The most packages that a sentence names."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>.*)")


def check_python(_: Target) -> Iterator[Finding]:
    """Whether this interpreter is new enough and has the versions of the checkout."""
    version = platform.python_version()
    if sys.version_info < MINIMUM_PYTHON:
        yield problem(f"Python {version} is too old.", "make setup PYTHON=/path/to/python3.11")
        return
    differing = list_differing_packages(ROOT / "constraints.txt")
    if differing:
        named = ", ".join(differing[:SHOWN]) + (", …" if len(differing) > SHOWN else "")
        yield problem(
            f"{write_count(len(differing), 'package')} {agree(len(differing), 'has', 'have')} "
            f"another version than constraints.txt: {named}.",
            "make setup",
        )
    else:
        yield ok(f"Python {version}, with the versions of constraints.txt.")


def list_differing_packages(constraints: Path) -> list[str]:
    """``name installed, not pinned`` for each installed package of another version than its pin.

    A package that is pinned for some machines or versions of Python only is left out.
    """
    found = []
    for line in constraints.read_text(encoding="utf-8").splitlines():
        pin = _PIN.match(line)
        if pin is None or ";" in pin["rest"]:
            continue
        try:
            installed = importlib.metadata.version(pin["name"])
        except importlib.metadata.PackageNotFoundError:
            continue  # it belongs to another part, such as the tests
        if installed != pin["version"]:
            found.append(f"{pin['name']} {installed}, not {pin['version']}")
    return found


def check_cdk(_: Target) -> Iterator[Finding]:
    """Whether the CDK's command line is installed."""
    if deploy.CLI.exists():
        yield ok("The CDK's command line is installed.")
    else:
        yield problem("The CDK's command line is not installed.", "make setup")


def check_disk(target: Target) -> Iterator[Finding]:
    """Whether there is room for the emulator's objects."""
    folder = target.folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    sentence = f"{free / 1024**3:.1f} GB are free at {target.folder}"
    if free < MINIMUM_FREE_BYTES:
        yield problem(f"{sentence}; 2 are needed.", "Free some space, or choose --local DIR.")
    else:
        yield ok(f"{sentence}.")


def check_services(target: Target) -> Iterator[Finding]:
    """Whether emulator, MLflow and task agent run, and whether their ports are theirs."""
    laptop = target.require_laptop("doctor")
    ports = (
        (emulator.daemon(laptop), "emulator", laptop.aws_port, "--port 4567"),
        (mlflow_server.daemon(laptop), "MLflow", laptop.mlflow_port, "--mlflow-port 5001"),
    )
    stopped = []
    for daemon, name, port, option in ports:
        if (pid := daemon.pid()) is not None:
            yield ok(f"{name} runs on port {port} (process {pid}).")
            continue
        stopped.append(name)
        if daemon.remains():
            yield _describe_remains(daemon, name)
        elif port_taken(port):
            yield problem(
                f"Port {port} of {name} is used by {describe_port_owner(port)}.",
                f"Stop that process, or choose another port: python -m ops up {option}",
            )
    agent = task_agent.daemon(laptop)
    if (pid := agent.pid()) is not None:
        yield ok(f"The task agent runs (process {pid}).")
    elif agent.remains():
        yield _describe_remains(agent, "the task agent")
    else:
        stopped.append("task agent")
    if len(stopped) == len(ports) + 1:
        yield note("Nothing runs on this machine.", "python -m ops up")
    elif stopped:
        yield problem(f"Not running: {', '.join(stopped)}.", "python -m ops up")


def _describe_remains(daemon: Daemon, name: str) -> Finding:
    pids = ", ".join(str(process.pid) for process in daemon.remains())
    return problem(
        f"Processes of {name} outlived it: {pids}.", "python -m ops down, then python -m ops up"
    )


def check_answers(target: Target) -> Iterator[Finding]:
    """Whether the processes that run also answer."""
    laptop = target.require_laptop("doctor")
    answers = (
        ("The emulator", emulator.daemon(laptop), emulator.healthy),
        ("MLflow", mlflow_server.daemon(laptop), mlflow_server.healthy),
    )
    for name, daemon, healthy in answers:
        if daemon.pid() is not None and not healthy(laptop):
            yield problem(
                f"{name} runs but doesn't answer; its log is {daemon.log}.",
                "python -m ops down, then python -m ops up",
            )


CHECKS = (
    Check("Python", check_python),
    Check("CDK", check_cdk),
    Check("disk", check_disk),
    Check("processes", check_services),
    Check("answers", check_answers),
)
"""What is asked of a laptop, whether anything is deployed or not."""
