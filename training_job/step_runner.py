"""What the child process runs: one step, from its environment.

Importing this is cheap, because the parent process does it too.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def run_step(step: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Run a step by name and return its result; raises the step's own errors.

    `environ`: the settings, EXECUTION (ARN) and STATE_INPUT (JSON).
    """
    from boto3.exceptions import Boto3Error

    from training_job.inputs import State
    from training_job.settings import Settings
    from training_job.steps import STEPS, Context

    context = Context(
        settings=Settings.from_env(environ),
        execution=environ.get("EXECUTION", "by-hand"),
        state=State.from_json(environ.get("STATE_INPUT", "{}")),
        say=lambda text: print(f"{step}: {text}", flush=True),  # noqa: T201 - the container's log
    )
    try:
        return STEPS[step](context)
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise _named(error) from error


def _named(error: Exception) -> Exception:
    """The service's own error where boto3's transfers hide it; AwsUnavailable if it may pass."""
    from boto3.exceptions import Boto3Error, RetriesExceededError

    from adapters import aws
    from training_job.errors import AwsUnavailable

    hidden = error.__context__ if isinstance(error, Boto3Error) else None
    own = hidden if isinstance(hidden, ClientError | BotoCoreError) else error
    if aws.transient(own) or isinstance(own, RetriesExceededError):
        what = aws.error_code(own) or type(own).__name__
        return AwsUnavailable(f"AWS could not be reached or was too busy ({what}).")
    return own
