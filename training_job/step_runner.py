"""What the child process runs: one step, from its environment.

Importing this is cheap, because the parent process does it too.
"""

from collections.abc import Mapping
from typing import Any


def run_step(step: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Run a step by name and return its result; raises the step's own errors.

    `environ`: the settings, EXECUTION (ARN) and STATE_INPUT (JSON).
    """
    from training_job.inputs import State
    from training_job.settings import Settings
    from training_job.steps import STEPS, Context

    context = Context(
        settings=Settings.from_env(environ),
        execution=environ.get("EXECUTION", "by-hand"),
        state=State.from_json(environ.get("STATE_INPUT", "{}")),
        say=lambda text: print(f"{step}: {text}", flush=True),  # noqa: T201 - the container's log
    )
    return STEPS[step](context)
