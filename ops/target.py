"""Where a command works: this machine, or a stage of an AWS account."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain import keys
from domain.deployment import DEFAULT_NAME, PARTS, Deployment, Names, NotDeployed, Part, output_key
from domain.errors import BadRecord
from domain.model.card import ModelCard
from domain.model.champion import Champion
from ops import region
from ops.errors import OpsError
from ops.laptop import ROOT, STAGE, Laptop

if TYPE_CHECKING:  # botocore takes its time to import, and --help does without it
    from mypy_boto3_cloudformation.type_defs import StackResourceSummaryTypeDef

    from adapters.model_store import ModelStore
    from adapters.s3 import Bucket

REPAIR = "python -m ops repair pointer"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the stacks made: ``(type, logical id, physical name)`` of each resource."""

    listed: tuple[tuple[str, str, str], ...]

    def names(self, kind: str, logical_prefix: str = "") -> list[str]:
        """Physical names of a type, e.g. ``AWS::SQS::Queue``, whose logical id starts like that."""
        return [
            name
            for found, logical, name in self.listed
            if found == kind and logical.startswith(logical_prefix)
        ]


@dataclass(frozen=True)
class Target:
    """A stage of a named deployment, and the laptop it runs on unless it is an account's."""

    stage: str
    laptop: Laptop | None
    folder: Path
    name: str = DEFAULT_NAME

    @classmethod
    def on_laptop(cls, laptop: Laptop) -> "Target":
        """This machine."""
        return cls(STAGE, laptop, laptop.folder, laptop.name)

    def named(self, name: str) -> "Target":
        """Another deployment at the same place."""
        laptop = self.laptop.named(name) if self.laptop else None
        return Target(self.stage, laptop, self.folder, name)

    @property
    def names(self) -> Names:
        """The names of what is deployed at the stage; raises BadName."""
        return Names(name=self.name, stage=self.stage)

    def require_laptop(self, command: str) -> Laptop:
        """The laptop, for commands that only it has; raises OpsError."""
        if self.laptop is None:
            raise OpsError(
                f"`{command}` works on this machine only.", f"Run `{command}` without --stage."
            )
        return self.laptop

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client; the first one for an account tells which account and region it is.

        Raises OpsError when this folder's emulator doesn't run, whatever else is on its port.
        """
        from adapters import aws

        if self.laptop is None:
            region.announce()
        else:
            from ops.local import emulator

            emulator.require_own(self.laptop)
        return aws.client(service, **options)

    @cached_property
    def deployment(self) -> Deployment:
        """The outputs of the stage's stacks; raises OpsError when there are none."""
        deployment = self.read_deployment()
        if deployment is None:
            raise OpsError(self.nothing_deployed, self.deploy_command)
        return deployment

    @property
    def nothing_deployed(self) -> str:
        """The sentence for a stage without stacks."""
        return f"Nothing is deployed as {self.name} at stage {self.stage}."

    def read_deployment(self) -> Deployment | None:
        """The same, or None when no stack is there; raises OpsError for half a deployment."""
        outputs: dict[str, str] = {}
        client = self.client("cloudformation")
        for part in PARTS:
            outputs |= _read_outputs(client, self.names.stack(part))
        if not outputs:
            return None
        try:
            return Deployment.from_outputs(outputs)
        except NotDeployed as error:
            raise OpsError(str(error), self.deploy_command) from None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that have a stack here: a tracking server may be a process, or another's."""
        own = self.laptop is None and not self.tracking_owner
        return tuple(part for part in PARTS if own or part != "Tracking")

    @cached_property
    def tracking_owner(self) -> str:
        """The deployment whose tracking server this one uses; empty: its own, or none."""
        outputs = _read_outputs(self.client("cloudformation"), self.names.stack("Training"))
        return outputs.get(output_key("tracking"), "")

    @cached_property
    def resources(self) -> Resources:
        """The resources of all stacks that are there."""
        client = self.client("cloudformation")
        stacks = [self.names.stack(part) for part in self.parts]
        return Resources(
            tuple(
                (found["ResourceType"], found["LogicalResourceId"], found["PhysicalResourceId"])
                for stack in stacks
                for found in _list_resources(client, stack)
                if "PhysicalResourceId" in found
            )
        )

    @property
    def deploy_command(self) -> str:
        """How to deploy the stage."""
        if self.laptop is not None:
            return "python -m ops up"
        stages = json.loads((ROOT / "cdk.json").read_text())["context"]["stages"]
        if self.stage not in stages:
            return f"Choose a stage of cdk.json ({', '.join(stages)}), or add {self.stage} to it."
        name = "" if self.name == DEFAULT_NAME else f" NAME={self.name}"
        return f"make deploy{name} STAGE={self.stage} MAIL_FROM=ADDRESS"

    def bucket(self, name: str) -> "Bucket":
        """One of the stage's buckets, e.g. ``models``."""
        from adapters.s3 import Bucket

        client = self.client("s3", timeout_seconds=60)
        return Bucket(client, getattr(self.deployment, f"{name}_bucket"))

    @property
    def models(self) -> "ModelStore":
        """The stage's models."""
        from adapters.model_store import ModelStore

        return ModelStore(self.bucket("models"))

    def champion(self) -> Champion | None:
        """The pointer to the model that serves, or None before the first promotion.

        Raises OpsError with the way to restore a pointer that is damaged or gone.
        """
        try:
            champion = self.models.read_champion()
        except BadRecord as error:
            raise OpsError(str(error), REPAIR) from None
        if champion is None and self.models.list_ledger():
            raise OpsError("The champion pointer is gone, though the ledger has entries.", REPAIR)
        return champion

    def card(self, version: str) -> ModelCard:
        """A version's model card; raises OpsError when it is missing or damaged."""
        card = self.models.read_card(version)
        if card is None:
            raise OpsError(f"Version {version} has no readable model card.", "python -m ops train")
        return card

    def count_dead_letters(self) -> int:
        """How many events wait that never reached their target."""
        answer = self.client("sqs").get_queue_attributes(
            QueueUrl=self.deployment.dead_letters, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def api_key(self) -> str:
        """The value of the API key that the usage plan accepts."""
        answer = self.client("apigateway").get_api_key(
            apiKey=self.deployment.api_key_id, includeValue=True
        )
        return str(answer["value"])


def _list_resources(client: Any, stack: str) -> "list[StackResourceSummaryTypeDef]":
    """The stack's resources; none when there is no such stack."""
    from botocore.exceptions import ClientError

    from adapters.aws import error_code

    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    try:
        return [found for page in pages for found in page["StackResourceSummaries"]]
    except ClientError as error:
        if error_code(error) == "ValidationError":
            return []
        raise


def _read_outputs(client: Any, name: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    from adapters.aws import error_code

    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error_code(error) == "ValidationError":  # there is no such stack
            return {}
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


FIRST_TRAINING = "python -m ops upload FILE, then python -m ops train"


def require_champion(target: Target, problem: str = "There is no champion yet.") -> Champion:
    """The champion; raises OpsError with this sentence and the way to a first one."""
    champion = target.champion()
    if champion is None:
        raise OpsError(problem, propose_first_model(target))
    return champion


def find_reasons(target: Target) -> list[tuple[str, str]]:
    """``(version, reason)`` for each reason why the newest model was refused; empty without one."""
    versions = target.models.list_cards()
    card = target.models.read_card(versions[0]) if versions else None
    if card is None or card.verdict is None or card.verdict.promote:
        return []
    return [(versions[0], reason) for reason in card.verdict.reasons]


def has_data(target: Target) -> bool:
    """Whether there are files to train on."""
    listed = target.bucket("data").list(keys.RAW)
    return any(keys.is_data(found.key, keys.RAW) for found in listed)


def propose_first_model(target: Target) -> str:
    """The next step of a deployment in which no model serves yet."""
    versions = target.models.list_cards()
    if not versions:
        return "python -m ops train" if has_data(target) else FIRST_TRAINING
    newest = versions[0]
    if find_reasons(target):
        return (
            f"python -m ops promote {newest} --reason TEXT lets the newest model serve although"
            " the gate refused it. Or change what its reasons name (python -m ops status), then"
            " python -m ops train"
        )
    return (
        f"python -m ops promote {newest} --reason TEXT lets the newest model serve, or"
        " python -m ops train makes another."
    )
