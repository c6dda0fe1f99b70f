"""Where a command works: this machine, or a stage of an AWS account."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from adapters import aws
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.deployment import PARTS, Deployment, Names, NotDeployed
from domain.model.card import ModelCard
from domain.model.champion import Champion
from ops.errors import OpsError
from ops.laptop import STAGE, Laptop


@dataclass(frozen=True)
class Target:
    """A stage, and the laptop it runs on unless it is an account's."""

    stage: str
    laptop: Laptop | None
    folder: Path

    @classmethod
    def on_laptop(cls, laptop: Laptop) -> "Target":
        """This machine."""
        return cls(STAGE, laptop, laptop.folder)

    @property
    def names(self) -> Names:
        """The names of what is deployed at the stage."""
        return Names(stage=self.stage)

    def command(self, name: str) -> str:
        """How to call another command for the same target."""
        return f"python -m ops {f'--stage {self.stage} ' if self.laptop is None else ''}{name}"

    def here(self, command: str) -> Laptop:
        """The laptop, for commands that only it has; raises OpsError."""
        if self.laptop is None:
            raise OpsError(f"`{command}` works on this machine only.", f"python -m ops {command}")
        return self.laptop

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client; credentials and endpoint are boto3's business."""
        return aws.client(service, **options)

    @cached_property
    def deployment(self) -> Deployment:
        """The outputs of the stage's stacks; raises OpsError when there are none."""
        deployment = self.deployed()
        if deployment is None:
            raise OpsError(f"Nothing is deployed at stage {self.stage}.", self.deploy_command)
        return deployment

    def deployed(self) -> Deployment | None:
        """The same, or None when no stack is there; raises OpsError for half a deployment."""
        outputs: dict[str, str] = {}
        client = self.client("cloudformation")
        for part in PARTS:
            outputs |= _outputs(client, self.names.stack(part))
        if not outputs:
            return None
        try:
            return Deployment.from_outputs(outputs)
        except NotDeployed as error:
            raise OpsError(str(error), self.deploy_command) from None

    @property
    def deploy_command(self) -> str:
        """How to deploy the stage."""
        if self.laptop is not None:
            return "python -m ops up"
        return f"make deploy STAGE={self.stage} MAIL_FROM=ADDRESS"

    def bucket(self, name: str) -> Bucket:
        """One of the stage's buckets, e.g. ``models``."""
        client = self.client("s3", timeout_seconds=60)
        return Bucket(client, getattr(self.deployment, f"{name}_bucket"))

    @property
    def models(self) -> ModelStore:
        """The stage's models."""
        return ModelStore(self.bucket("models"))

    def champion(self) -> Champion | None:
        """What serves now."""
        return self.models.read_champion()

    def card(self, version: str) -> ModelCard:
        """A version's model card; raises OpsError when it is missing or damaged."""
        card = self.models.read_card(version)
        if card is None:
            raise OpsError(f"Version {version} has no readable model card.", self.command("train"))
        return card

    def api_key(self) -> str:
        """The value of the API key that the usage plan knows."""
        answer = self.client("apigateway").get_api_key(
            apiKey=self.deployment.api_key_id, includeValue=True
        )
        return str(answer["value"])


def _outputs(client: Any, name: str) -> dict[str, str]:
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if aws.error_code(error) == "ValidationError":  # there is no such stack
            return {}
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
