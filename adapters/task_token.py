"""How a container talks back to the Step Functions state that waits for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from adapters.aws import error_code

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

VARIABLE = "TASK_TOKEN"
"""The environment variable in which a state hands its token to a container."""
_CLOSED = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
MAXIMUM_CAUSE = 32_768
EXIT_CODE_REPORTED = 10
"""A container's exit code when it has failed and reported so with its token: no one else has to."""


class TokenClosed(Exception):
    """Nobody waits for this task any more: it timed out or the execution was stopped."""


@dataclass(frozen=True, slots=True, repr=False)
class TaskToken:
    """The token of one waiting state."""

    client: "SFNClient"
    token: str

    def beat(self) -> None:
        """Say that the work goes on; raises TokenClosed."""
        self._call(self.client.send_task_heartbeat)

    def succeed(self, output: Mapping[str, object]) -> None:
        """Hand the result back (keys and numbers, under 100 KB); raises TokenClosed."""
        self._call(self.client.send_task_success, output=json.dumps(output, allow_nan=False))

    def fail(self, error: str, cause: str) -> None:
        """Hand a named error and its sentence back; raises TokenClosed."""
        self._call(self.client.send_task_failure, error=error, cause=cause[:MAXIMUM_CAUSE])

    def _call(self, method: Any, **arguments: str) -> None:
        try:
            method(taskToken=self.token, **arguments)
        except ClientError as error:
            if error_code(error) in _CLOSED:
                raise TokenClosed from None
            raise
