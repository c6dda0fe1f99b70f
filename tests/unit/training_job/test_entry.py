"""The container's entry point: its steps, MLflow's client in it, and how AWS's errors are named."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import Boto3Error, RetriesExceededError, S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError
from mlflow import environment_variables as mlflow_environment
from urllib3.exceptions import ProtocolError

from adapters.registry import ERROR_TAG, RegistryUnavailable, Tracking
from domain.training.steps import STEP_NAMES
from tests.unit.fakes import client_error
from training_job import __main__ as entry
from training_job import steps
from training_job.errors import AwsUnavailable, BadData
from training_job.settings import Settings
from training_job.step_runner import run_step
from training_job.supervisor import Outcome

SETTINGS = Settings(
    data_bucket="d",
    models_bucket="m",
    predictions_bucket="p",
    reports_bucket="reports",
    mlflow_tracking_uri="http://127.0.0.1:1",
    model_name="diabetes",
    contract="",
)


def test_every_step_can_be_named() -> None:
    assert STEP_NAMES == tuple(steps.STEPS)


def test_mlflows_client_calls_nobody_else_and_gives_up_within_two_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environ)
    monkeypatch.setattr(sys, "argv", ["training_job", "check"])
    monkeypatch.setattr("training_job.supervisor.supervise", lambda *_, **__: Outcome(result={}))
    assert 0 == entry.main()
    assert {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}.items() <= environ.items()
    known: Any = mlflow_environment
    retries = known.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()
    assert (1 + retries) * known.MLFLOW_HTTP_REQUEST_TIMEOUT.get() <= 120


def _hidden(error: ClientError) -> S3UploadFailedError:
    """As boto3's transfers raise it."""
    try:
        try:
            raise error
        except ClientError:
            raise S3UploadFailedError("made up") from None
    except S3UploadFailedError as found:
        return found


def _server_error() -> ClientError:
    error = client_error("InternalError")
    error.response["ResponseMetadata"] = {"HTTPStatusCode": 500}  # type: ignore[typeddict-item]  # only what is read
    return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (client_error("ThrottlingException"), "AwsUnavailable"),
        (client_error("SlowDown"), "AwsUnavailable"),
        (_server_error(), "AwsUnavailable"),
        (EndpointConnectionError(endpoint_url="https://s3.example"), "AwsUnavailable"),
        (ProtocolError("the connection broke within an error's body"), "AwsUnavailable"),
        (ResponseParserError("no XML"), "AwsUnavailable"),
        (RetriesExceededError(Boto3Error()), "AwsUnavailable"),
        (_hidden(client_error("SlowDown")), "AwsUnavailable"),
        (_hidden(client_error("AccessDenied")), "ClientError"),
        (client_error("AccessDenied"), "ClientError"),
        (NoCredentialsError(), "NoCredentialsError"),
    ],
)
def test_what_waiting_may_cure_at_aws_has_one_name(
    error: Exception, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> dict[str, Any]:
        raise error

    monkeypatch.setitem(steps.STEPS, "check", fail)
    with pytest.raises(Exception) as found:
        run_step("check", SETTINGS.to_env())
    assert name == found.type.__name__
    assert (found.type is AwsUnavailable) == (name == "AwsUnavailable")


def _failing(error: Exception) -> Any:
    def fail(_: Any) -> dict[str, Any]:
        raise error

    return fail


def test_a_step_that_fails_closes_its_mlflow_run_and_a_retry_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, mlflow_tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    environ = settings.to_env() | {"EXECUTION": "arn:execution:one"}
    tracking = Tracking(settings.mlflow_tracking_uri, settings.model_name)
    run_id = tracking.run_of("one")
    for step in ("prepare", "tune"):
        monkeypatch.setitem(steps.STEPS, step, _failing(BadData("made up")))
        with pytest.raises(BadData):
            run_step(step, environ)
        run = tracking.client.get_run(run_id)
        expected = ("RUNNING", None) if step == "prepare" else ("FAILED", "BadData")
        assert expected == (run.info.status, run.data.tags.get(ERROR_TAG))
    assert run_id == tracking.run_of("one")
    tracking.finish(run_id)
    assert "FINISHED" == tracking.client.get_run(run_id).info.status
    tracking.fail("two", "BadData")
    assert 1 == len(tracking.client.search_runs([tracking.experiment_id()]))


@pytest.mark.parametrize("error", [BadData("made up"), RegistryUnavailable("made up")])
def test_without_mlflow_the_steps_own_error_is_what_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def down(*_: str) -> None:
        raise RegistryUnavailable("down")

    monkeypatch.setitem(steps.STEPS, "tune", _failing(error))
    monkeypatch.setattr(Tracking, "fail", down)
    with pytest.raises(type(error), match="made up"):
        run_step("tune", SETTINGS.to_env())
