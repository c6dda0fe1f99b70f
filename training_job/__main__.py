"""``python -m training_job <step>``: what the container runs.

The step's settings come from the environment, as do, when the state machine started it, TASK_TOKEN
(whom to tell), EXECUTION (the execution's ARN) and STATE_INPUT (JSON).
"""

import argparse
import functools
import os
import sys

STEP_NAMES = ("prepare", "tune", "evaluate", "promote", "check", "score")
MLFLOW_CLIENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A call to a server that is down takes half a minute instead of four; the state is retried.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""How MLflow's client behaves in here, unless the environment has another opinion."""

REPORTED = 10
"""Exit code of a step that failed and said so by itself: nobody need report for it."""


def main() -> int:
    """Run one step; the exit code says whether it succeeded."""
    from adapters import aws
    from adapters.task_token import VARIABLE, TaskToken
    from training_job.step_runner import run_step
    from training_job.supervisor import supervise

    parser = argparse.ArgumentParser(prog="python -m training_job", description=__doc__)
    parser.add_argument("step", choices=STEP_NAMES)
    step = parser.parse_args().step
    for name, value in MLFLOW_CLIENT.items():
        os.environ.setdefault(name, value)
    secret = os.environ.pop(VARIABLE, "")
    token = TaskToken(aws.client("stepfunctions"), secret) if secret else None
    outcome = supervise(functools.partial(run_step, step, dict(os.environ)), token=token)
    if outcome.result is None:
        print(f"{step} failed: {outcome.error}: {outcome.cause}", file=sys.stderr, flush=True)  # noqa: T201 - the container's log
        return REPORTED
    print(f"{step} succeeded", flush=True)  # noqa: T201 - the container's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
