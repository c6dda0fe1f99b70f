"""What a deployed stage is called and what it tells about itself.

`stacks` writes these outputs, `ops` reads them; both take the names from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, Self

from domain.errors import DomainError

PROJECT = "Circle"
Part = Literal["Storage", "Tracking", "Training", "Serving", "Monitoring"]
PARTS: tuple[Part, ...] = ("Storage", "Tracking", "Training", "Serving", "Monitoring")


class NotDeployed(DomainError):
    """A stage lacks stacks or outputs that are needed."""


def stack_name(stage: str, part: Part) -> str:
    """CloudFormation name of one stack, e.g. ``Circle-dev-Storage``."""
    return f"{PROJECT}-{stage}-{part}"


def output_key(field: str) -> str:
    """Key of a stack output: ``data_bucket`` → ``DataBucket``."""
    return "".join(word.capitalize() for word in field.split("_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The outputs of a stage's stacks."""

    # Storage
    data_bucket: str
    models_bucket: str
    predictions_bucket: str
    reports_bucket: str
    database: str
    workgroup: str
    event_bus: str
    # Training
    state_machine_arn: str
    cluster: str
    task_family: str
    mlflow_url: str
    # Serving
    api_url: str
    api_key_id: str
    # Monitoring
    drift_function: str
    mail_recipient: str

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Self:
        """Build it from all stacks' outputs; raises NotDeployed naming what is missing."""
        names = {field.name: output_key(field.name) for field in fields(cls)}
        missing = [key for key in names.values() if key not in outputs]
        if missing:
            raise NotDeployed("The stage is not fully deployed; missing: " + ", ".join(missing))
        return cls(**{name: outputs[key] for name, key in names.items()})
