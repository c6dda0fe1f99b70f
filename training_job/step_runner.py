"""Run one step in the child process, with its settings from the environment.

Importing this is cheap, because the parent process does it too.
"""

import contextlib
import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from adapters.registry import Tracking
    from domain.training.steps import StepName, StepResult
    from domain.typed_json import Json

LOGGED = ("tune", "evaluate")
"""Steps that work in the execution's MLflow run."""


def run_step(step: "StepName", environ: Mapping[str, str]) -> "Mapping[str, Json]":
    """Run a step by name and return its encoded result; raises the step's own errors.

    `environ`: the settings, EXECUTION (ARN), STARTED_AT (when it started, ISO 8601) and
    STATE_INPUT (JSON).
    """
    from training_job.inputs import State
    from training_job.settings import Settings
    from training_job.steps import BY_HAND, STEPS, Context

    context = Context(
        settings=Settings.from_env(environ),
        execution=environ.get("EXECUTION", BY_HAND),
        state=State.from_json(environ.get("STATE_INPUT", "{}")),
        started_at=_started_at(environ.get("STARTED_AT", "")),
        say=lambda text: print(f"{step}: {text}", flush=True),  # noqa: T201 - the container's log
    )
    try:
        return _execute(functools.partial(STEPS[step], context)).to_dict()
    except Exception as error:
        if step in LOGGED:
            _close_run(context.tracking, context.name, error)
        raise


def _started_at(text: str) -> int | None:
    """UTC milliseconds; None for a step that no execution started, or a time without offset."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round(instant.timestamp() * 1000) if instant.tzinfo else None


def _execute(step: Callable[[], "StepResult"]) -> "StepResult":
    from boto3.exceptions import Boto3Error

    from adapters import aws

    try:
        return step()
    except (*aws.UNREACHABLE, Boto3Error) as error:
        raise _translate(error) from error


def _close_run(tracking: "Tracking", execution: str, error: Exception) -> None:
    """Mark the MLflow run as failed, or it would look as if it were still running."""
    from adapters.registry import RegistryUnavailable

    if not isinstance(error, RegistryUnavailable):
        with contextlib.suppress(RegistryUnavailable):
            tracking.fail(execution, type(error).__name__)


def _translate(error: Exception) -> Exception:
    """The service's own error where boto3 wraps it; AwsUnavailable if a retry may help."""
    from boto3.exceptions import Boto3Error, RetriesExceededError

    from adapters import aws
    from training_job.errors import AwsUnavailable

    hidden = error.__context__ if isinstance(error, Boto3Error) else None
    own = hidden if isinstance(hidden, ClientError | BotoCoreError) else error
    if aws.transient(own) or isinstance(own, RetriesExceededError):
        what = aws.error_code(own) or type(own).__name__
        return AwsUnavailable(f"AWS could not be reached or was too busy ({what}).")
    return own
