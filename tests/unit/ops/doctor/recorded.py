"""A target whose services give recorded answers, which botocore checks against its models."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import botocore.session
from botocore.stub import Stubber

from domain.deployment import Deployment
from ops.doctor.finding import Check, Finding
from ops.laptop import Laptop
from ops.target import Resources, Target

Call = tuple[str, Any]
"""An operation's Python name and its answer; an answer that is a text is an error's code."""

OUTPUTS = {
    "database": "circle_dev",
    "state_machine_arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:circle-dev-training",
    "mlflow_url": "http://mlflow.circle-dev.internal:5000",
    "drift_function": "drift",
    "webhook_secret": "",
    "dead_letters": "https://sqs.example.org/123456789012/dead-letters",
}
DEPLOYMENT = Deployment(**({field.name: "unused" for field in fields(Deployment)} | OUTPUTS))


class Recorded(Target):
    """A stage that answers the calls of each service in the order in which they are recorded."""

    tracking_owner = ""

    def client(self, service: str, **_: Any) -> Any:
        """The service's client; it answers what was recorded, and refuses any other call."""
        return self.__dict__["clients"][service]

    def read_deployment(self) -> Deployment | None:
        """What was said to be deployed."""
        found: Deployment | None = self.__dict__["deployed"]
        return found


def record(
    *,
    deployed: bool = True,
    laptop: Laptop | None = None,
    resources: Iterable[tuple[str, str, str]] = (),
    **calls: list[Call],
) -> Recorded:
    """A stage with these answers per service; ``_`` stands for the hyphen of a service's name."""
    target = Recorded("dev", laptop, Path("nowhere"))
    clients = {}
    for service, answers in calls.items():
        name = service.rstrip("_").replace("_", "-")
        client = botocore.session.get_session().create_client(
            name, region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-"
        )
        stubber = Stubber(client)
        for operation, answer in answers:
            if isinstance(answer, str):
                stubber.add_client_error(operation, answer)
            else:
                stubber.add_response(operation, answer)
        stubber.activate()
        clients[name] = client
    target.__dict__.update(
        {
            "clients": clients,
            "deployed": DEPLOYMENT if deployed else None,
            "resources": Resources(tuple(resources)),
        }
    )
    return target


def ask(check: Any, target: Target) -> list[tuple[str, str, str]]:
    """Level, sentence and next step of all that a check finds."""
    found: list[Finding] = list(Check("any", check).findings(target))
    return [(finding.level.value, finding.sentence, finding.next_step) for finding in found]
