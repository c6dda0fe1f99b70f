"""Handle each "ECS Task State Change" event of a stopped training task."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from adapters import aws
from lambdas.task_watcher.watch import watch

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@cache
def _states() -> "SFNClient":
    client: SFNClient = aws.client("stepfunctions")
    return client


def handler(event: Mapping[str, Any], _: object) -> dict[str, str] | None:
    """Report the stopped task to its state machine; return what was reported."""
    failure = watch(task=event["detail"], states=_states())
    return asdict(failure) if failure else None
