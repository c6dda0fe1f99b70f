"""`down`: stop what `up` started."""

import argparse

from ops import emulator, mlflow_server, task_agent
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    laptop = target.here("down")
    # The agent first: its tasks still can say that they were interrupted.
    stopped = [
        name
        for name, stop in (
            ("task agent", task_agent.stop),
            ("MLflow", mlflow_server.stop),
            ("emulator", emulator.stop),
        )
        if stop(laptop)
    ]
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
    return "python -m ops up"
