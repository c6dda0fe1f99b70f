"""`down`: stop what `up` started."""

import argparse

from ops.commands import up
from ops.local import emulator, mlflow_server, task_agent
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to keep what was made."""
    parser.add_argument(
        "--forget", action="store_true", help="also remove data, models, logs and runs"
    )


def run(args: argparse.Namespace, target: Target) -> str:
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
    if args.forget:
        up.forget(laptop)
        print("Data, models, logs and runs are removed.")
    else:
        print(f"Everything is kept in {laptop.folder}; `down --forget` removes it.")
    return "python -m ops up"
