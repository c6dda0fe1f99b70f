"""Executions of the training state machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain import times

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution; `started_at` in UTC milliseconds."""

    arn: str
    running: bool
    started_at: int


def is_running(client: "SFNClient", execution: str) -> bool:
    """Whether the execution of that ARN still runs; one that is unknown doesn't."""
    try:
        return client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("ExecutionDoesNotExist", "InvalidArn"):
            return False
        raise


def latest(client: "SFNClient", state_machine_arn: str) -> Execution | None:
    """The execution that started last, if any."""
    listed = client.list_executions(stateMachineArn=state_machine_arn, maxResults=1)["executions"]
    if not listed:
        return None
    (found,) = listed[:1]
    return Execution(
        found["executionArn"], found["status"] == "RUNNING", times.to_millis(found["startDate"])
    )


def start(
    client: "SFNClient", state_machine_arn: str, *, name: str, document: Mapping[str, Any]
) -> bool:
    """Start an execution under a name; False when one of that name was there already."""
    try:
        client.start_execution(
            stateMachineArn=state_machine_arn, name=name, input=json.dumps(document)
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ExecutionAlreadyExists":
            return False
        raise
    return True
