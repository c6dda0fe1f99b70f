"""Events of the circle on the EventBridge bus."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.events import SOURCE, DetailType

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventRefused(Exception):
    """The bus took the call but not the event."""


@dataclass(frozen=True, slots=True)
class EventBus:
    """One bus seen through one client."""

    client: "EventBridgeClient"
    name: str

    def publish(self, detail_type: DetailType, detail: Mapping[str, Any]) -> None:
        """Put one event; raises EventRefused."""
        answer = self.client.put_events(
            Entries=[
                {
                    "EventBusName": self.name,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            raise EventRefused(answer["Entries"][0].get("ErrorCode", "unknown"))
