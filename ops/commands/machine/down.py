"""`down`: stop what `up` started."""

import time
from dataclasses import replace
from typing import Annotated

from typer import Option

from ops.commands.machine import up
from ops.console import Answer, require_yes
from ops.local import emulator, mlflow_server, task_agent
from ops.target import Target


def run(
    target: Target,
    *,
    forget: Annotated[
        bool, Option("--forget", help="Also remove data, models, logs and runs.")
    ] = False,
    yes: Annotated[bool, Option("--yes", help="Don't ask.")] = False,
) -> Answer:
    """Stop what `up` started. Everything that was made is kept, unless you say --forget.

    It stops all deployments of this machine. Where there are several, --forget asks first.
    """
    laptop = target.require_laptop("down")
    if forget and len(laptop.contracts) > 1 and not yes:
        names = ", ".join(laptop.contracts)
        require_yes(f"Delete all deployments ({names})?", "python -m ops down --forget --yes")
    began = time.time()
    # The agent first: its tasks can still report that they were interrupted.
    services = (
        ("task agent", task_agent.stop),
        ("MLflow", mlflow_server.stop),
        ("emulator", emulator.stop),
    )
    stopped = [name for name, stop in services if stop(laptop)]
    data = {"stopped": stopped, "kept": not forget, "folder": str(laptop.folder)}
    first = f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running."
    if forget:
        up.forget(laptop)
        replace(laptop, contracts={}).save()
        return Answer(
            data=data,
            shown=[first, "Data, models, logs and runs are removed."],
            next_step="python -m ops up",
        )
    if "emulator" in stopped and not emulator.saved_since(laptop, began):
        return Answer(
            data=data | {"saved": False},
            shown=[
                first,
                "The emulator could not save its state: what changed since the last time that it "
                "did may be lost. Objects in the buckets are kept.",
            ],
            next_step=f"Read {emulator.daemon(laptop).log}; is the disk full? Then: "
            "python -m ops up",
            status=1,
        )
    return Answer(
        data=data,
        shown=[
            first,
            f"Data, models, logs and runs are kept in {laptop.folder}; "
            "python -m ops down --forget removes them.",
        ],
        next_step="python -m ops up",
    )
