"""The names of a deployment, and the outputs of its stacks.

`stacks` gives these names and writes these outputs; `ops` looks both up.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Literal, Self

from domain.errors import DomainError

DEFAULT_NAME = "circle"
Part = Literal["Storage", "Tracking", "Training", "Serving", "Monitoring"]
PARTS: tuple[Part, ...] = ("Storage", "Tracking", "Training", "Serving", "Monitoring")

_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")


class BadName(DomainError):
    """A deployment or stage can't be called that."""


class NotDeployed(DomainError):
    """A stage lacks stacks or outputs that are needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the resources of one deployment are called; raises BadName.

    `name` is the deployment's, `stage` one of its stages. Several deployments and stages share an
    account and region without sharing a name: every name contains both, and neither may contain
    the hyphen that joins them. Whatever has no name here (buckets, streams, functions, roles,
    topics, secrets, alarms, log groups) is named by CloudFormation after its stack.
    """

    name: str = DEFAULT_NAME
    stage: str

    def __post_init__(self) -> None:
        """Refuse what AWS would refuse, and what would make two names equal."""
        rules = (
            ("name", self.name, _NAME, 16),
            ("stage", self.stage, _STAGE, 12),
        )
        problems = [
            f"a {what} has 1 to {longest} lower-case letters and digits, the first one a letter"
            for what, value, pattern, longest in rules
            if not pattern.fullmatch(value)
        ]
        if problems:
            raise BadName(
                f"Deployment {self.name!r} can't have stage {self.stage!r}: {'; '.join(problems)}."
            )

    @property
    def base(self) -> str:
        """``circle-dev``: the event bus, the workgroup, the API, the budget and the board."""
        return f"{self.name}-{self.stage}"

    def stack(self, part: Part) -> str:
        """A CloudFormation stack: ``circle-dev-Storage``."""
        return f"{self.base}-{part}"

    @property
    def database(self) -> str:
        """The Glue database, without a hyphen, which SQL would want quoted: ``circle_dev``."""
        return f"{self.name}_{self.stage}"

    @property
    def metrics_namespace(self) -> str:
        """Where CloudWatch keeps the metrics that the functions emit."""
        return self.base

    @property
    def training(self) -> str:
        """The training state machine and the family of its tasks: ``circle-dev-training``."""
        return f"{self.base}-training"

    @property
    def promotion(self) -> str:
        """The family of the tasks that may change what serves: ``circle-dev-promotion``."""
        return f"{self.base}-promotion"

    @property
    def guard(self) -> str:
        """How the name of the retrain guard's role begins: ``circle-dev-guard``."""
        return f"{self.base}-guard"

    @property
    def drift(self) -> str:
        """How the name of the drift function's role begins: ``circle-dev-drift``."""
        return f"{self.base}-drift"

    @property
    def people(self) -> str:
        """How the name of the role begins that acts for who signed in: ``circle-dev-people``."""
        return f"{self.base}-people"

    @property
    def erasure(self) -> str:
        """The family of the tasks that may delete rows of people: ``circle-dev-erasure``."""
        return f"{self.base}-erasure"

    @property
    def compaction(self) -> str:
        """The family of the tasks that merge the logs' objects: ``circle-dev-compaction``."""
        return f"{self.base}-compaction"

    @property
    def tracking(self) -> str:
        """The tracking server's family of tasks, and its database: ``circle-dev-mlflow``."""
        return f"{self.base}-mlflow"

    @property
    def dns_zone(self) -> str:
        """The private zone in which the training finds the tracking server."""
        return f"{self.base}.internal"

    def model(self, target: str) -> str:
        """The MLflow experiment and the registered model that predict `target`."""
        return f"{self.base}-{target}"


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
    dead_letters: str
    """The URL of the dead-letter queue."""
    retention: str = ""
    """What expires, see `domain.retention`; empty when all is kept."""
    # Training
    state_machine_arn: str
    cluster: str
    mlflow_url: str
    tracking: str = ""
    """The deployment whose tracking server it uses; empty: its own."""
    # Serving
    api_url: str
    api_key_id: str
    user_pool: str = ""
    """Id of the user pool; empty where the stage has no login."""
    # Monitoring
    drift_function: str
    webhook_secret: str = ""
    """ARN of the webhook's secret; empty where the stage has no webhook."""

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> Self:
        """Read the outputs of all stacks; raises NotDeployed naming every missing one."""
        names = {field.name: output_key(field.name) for field in fields(cls)}
        optional = {field.name for field in fields(cls) if field.default is not MISSING}
        missing = [k for name, k in names.items() if k not in outputs and name not in optional]
        if missing:
            raise NotDeployed("The stage is not fully deployed; missing: " + ", ".join(missing))
        return cls(**{name: outputs[key] for name, key in names.items() if key in outputs})
