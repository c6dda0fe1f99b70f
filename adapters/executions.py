"""Executions of the training state machine."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from adapters.aws import error_code
from domain import times

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


STARTING = "starting"
"""What `current_state` says of an execution that has entered no state."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution; times in UTC milliseconds, without `ended_at` while it runs."""

    arn: str
    status: str
    started_at: int
    ended_at: int | None = None


def is_running(client: "SFNClient", execution: str) -> bool:
    """Whether the execution of that ARN still runs; one that is unknown doesn't."""
    try:
        return client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    except ClientError as error:
        if error_code(error) in ("ExecutionDoesNotExist", "InvalidArn"):
            return False
        raise


def newest_first(client: "SFNClient", state_machine_arn: str, *, limit: int) -> Iterator[Execution]:
    """The executions from the newest on, `limit` of them at most."""
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=state_machine_arn,
        PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 100)},
    )
    for page in pages:
        for found in page["executions"]:
            stopped = found.get("stopDate")
            yield Execution(
                found["executionArn"],
                found["status"],
                times.to_millis(found["startDate"]),
                times.to_millis(stopped) if stopped else None,
            )


@dataclass(frozen=True, slots=True)
class Description:
    """Decoded JSON of an execution; `output` is None unless it succeeded.

    `error` and `cause`: of one that failed; AWS may leave them out.
    """

    input: object
    output: object
    error: str = ""
    cause: str = ""


def describe(client: "SFNClient", execution: str) -> Description:
    """What the execution of that ARN was started with, and what it ended with."""
    found = client.describe_execution(executionArn=execution)
    output = found.get("output")
    return Description(
        json.loads(found["input"]),
        json.loads(output) if output else None,
        found.get("error", ""),
        found.get("cause", ""),
    )


def input_of(client: "SFNClient", execution: str) -> object:
    """The decoded JSON that the execution of that ARN was started with."""
    return describe(client, execution).input


def exists(client: "SFNClient", state_machine_arn: str, name: str) -> bool:
    """Whether the state machine has an execution of that name, running or ended."""
    execution = state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
    try:
        client.describe_execution(executionArn=execution)
    except client.exceptions.ExecutionDoesNotExist:
        return False
    return True


def start(
    client: "SFNClient", state_machine_arn: str, *, name: str, document: Mapping[str, Any]
) -> bool:
    """Start an execution under a name; False when one of that name was there already."""
    try:
        client.start_execution(
            stateMachineArn=state_machine_arn, name=name, input=json.dumps(document)
        )
    except ClientError as error:
        if error_code(error) == "ExecutionAlreadyExists":
            return False
        raise
    return True


def list_running(client: "SFNClient", state_machine_arn: str) -> list[str]:
    """The ARNs of all executions that run now."""
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=state_machine_arn, statusFilter="RUNNING"
    )
    return [found["executionArn"] for page in pages for found in page["executions"]]


def current_state(client: "SFNClient", execution: str) -> str:
    """The name of the state that an execution entered last."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, includeExecutionData=False
    )
    for page in pages:
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                return event["stateEnteredEventDetails"]["name"]
    return STARTING
