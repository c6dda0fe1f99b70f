"""``python -m training_job <step>``: the command of the training container.

The step's settings come from the environment. So do, when the state machine started the task,
TASK_TOKEN (of the state that waits), EXECUTION (the execution's ARN) and STATE_INPUT (JSON).
"""

import argparse
import functools
import os
import sys

MLFLOW_CLIENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A call to a server that is down takes half a minute instead of four; the state is retried.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Settings of MLflow's client; the environment may override each."""


def main() -> int:
    """Run one step; the exit code says whether it succeeded."""
    from adapters import aws
    from adapters.task_token import EXIT_CODE_REPORTED, VARIABLE, TaskToken
    from domain.training.steps import STEP_NAMES
    from training_job.step_runner import run_step
    from training_job.supervisor import supervise

    parser = argparse.ArgumentParser(prog="python -m training_job", description=__doc__)
    parser.add_argument("step", choices=STEP_NAMES)
    step = parser.parse_args().step
    for name, value in MLFLOW_CLIENT.items():
        os.environ.setdefault(name, value)
    secret = os.environ.pop(VARIABLE, "")
    token = TaskToken(aws.client("stepfunctions"), secret) if secret else None
    outcome = supervise(
        functools.partial(run_step, step, dict(os.environ)),
        token=token,
        operator=os.environ.get("OPERATOR_COMMAND", "ops"),
    )
    if outcome.result is None:
        print(f"{step} failed: {outcome.error}: {outcome.cause}", file=sys.stderr, flush=True)  # noqa: T201 - the container's log
        return EXIT_CODE_REPORTED
    print(f"{step} succeeded", flush=True)  # noqa: T201 - the container's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
