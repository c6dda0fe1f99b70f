"""``python -m training_job <step>``: what the container runs.

The step's settings come from the environment, as do, when the state machine started it, TASK_TOKEN
(whom to tell), EXECUTION (the execution's ARN) and STATE_INPUT (JSON).
"""

import argparse
import functools
import os
import sys
from collections.abc import Mapping
from typing import Any

STEP_NAMES = ("prepare", "tune", "evaluate", "promote")


def main() -> int:
    """Run one step; the exit code says whether it succeeded."""
    from adapters import aws
    from adapters.task_token import TaskToken
    from training_job.supervisor import supervise

    parser = argparse.ArgumentParser(prog="python -m training_job", description=__doc__)
    parser.add_argument("step", choices=STEP_NAMES)
    step = parser.parse_args().step
    secret = os.environ.pop("TASK_TOKEN", "")
    token = TaskToken(aws.client("stepfunctions"), secret) if secret else None
    outcome = supervise(functools.partial(run, step, dict(os.environ)), token=token)
    if outcome.result is None:
        print(f"{step} failed: {outcome.error}: {outcome.cause}", file=sys.stderr, flush=True)  # noqa: T201 - the container's log
        return 1
    print(f"{step} succeeded", flush=True)  # noqa: T201 - the container's log
    return 0


def run(step: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The step itself, in the child process."""
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


if __name__ == "__main__":
    sys.exit(main())
