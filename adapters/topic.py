"""The alert topic on SNS, for machines that want the facts as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic seen through one client."""

    client: "SNSClient"
    arn: str

    def publish(self, *, subject: str, message: Mapping[str, Any]) -> None:
        """Publish a JSON message; the subject loses what SNS refuses (not ASCII, over 100)."""
        line = subject.encode("ascii", "ignore").decode()[:100]
        self.client.publish(TopicArn=self.arn, Subject=line, Message=json.dumps(message))
