"""Executions of the training state machine."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def is_running(client: "SFNClient", execution: str) -> bool:
    """Whether the execution of that ARN still runs; one that is unknown doesn't."""
    try:
        return client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("ExecutionDoesNotExist", "InvalidArn"):
            return False
        raise
