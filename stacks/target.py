"""What differs between a deployment to AWS and one to an emulator.

Both get the same stacks; `app.py` chooses the target. An emulator has no Docker and no Fargate, so
it gets sources instead of images. It also has a single address for all APIs.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk import Aws as Pseudo
from aws_cdk import IgnoreMode
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain.deployment import DEFAULT_NAME, Names
from stacks.common import assets
from stacks.settings import PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNetwork:
    """Where the training tasks run: subnets with a route to the internet, and a security group."""

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


class Target(Protocol):
    """What the stacks need from the place that they are deployed to."""

    def training_image(self, architecture: lambda_.Architecture) -> ecs.ContainerImage:
        """The image of the training tasks."""
        ...

    def tuning_processes(self, cpu_units: int) -> int:
        """How many processes search in a task of `cpu_units`; 0: one for each CPU it sees."""
        ...

    def delivery_seconds(self, stream_seconds: int) -> int:
        """The longest that a stream holds a record, whose buffer is `stream_seconds`."""
        ...

    def drift_function(
        self, scope: Construct, architecture: lambda_.Architecture, **options: Any
    ) -> lambda_.Function:
        """The function ``Function`` that runs the monitoring job; `options` are lambda's."""
        ...

    def api_url(self, api: apigateway.RestApi) -> str:
        """The URL of the API's stage, without a slash at the end."""
        ...

    def sign_in_url(self, domain_prefix: str, region: str) -> str:
        """Where the hosted page of a user pool is, without a slash at the end."""
        ...

    def principal(self, role_name: str) -> str:
        """How the ARN of a function with that role begins, from the account on."""
        ...

    def operator_command(self, names: Names) -> str:
        """How an operator calls the command line for this deployment."""
        ...

    @property
    def allows_private_webhooks(self) -> bool:
        """Whether a webhook may be without TLS, and on this machine or network."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Images, which the CDK CLI builds from the repository when it deploys.

    `base_image`: what they are built on. `rds_bundle_url`: where the tracking server's image gets
    the certificates of RDS.
    """

    base_image: str
    rds_bundle_url: str

    def training_image(self, architecture: lambda_.Architecture) -> ecs.ContainerImage:
        """The image of the training tasks."""
        return ecs.ContainerImage.from_asset(
            str(assets.ROOT), **self._image("training", assets.TRAINING, architecture)
        )

    def tuning_processes(self, cpu_units: int) -> int:
        """One for each whole vCPU: a small task sees more CPUs than it may use."""
        return max(1, cpu_units // 1024)

    def delivery_seconds(self, stream_seconds: int) -> int:
        """The buffer, and some minutes for a delivery that Firehose repeats."""
        return stream_seconds + 300

    def mlflow_image(self, architecture: lambda_.Architecture) -> ecs.ContainerImage:
        """The tracking server's image; on an emulator the server is a process."""
        options = self._image("mlflow", assets.MLFLOW, architecture)
        options["build_args"]["RDS_BUNDLE_URL"] = self.rds_bundle_url
        return ecs.ContainerImage.from_asset(str(assets.ROOT), **options)

    def drift_function(
        self, scope: Construct, architecture: lambda_.Architecture, **options: Any
    ) -> lambda_.Function:
        """A function that is an image."""
        code = lambda_.DockerImageCode.from_image_asset(
            str(assets.ROOT), **self._image("drift", assets.DRIFT, architecture)
        )
        return lambda_.DockerImageFunction(
            scope, "Function", code=code, architecture=architecture, **options
        )

    def _image(
        self, target: str, paths: tuple[str, ...], architecture: lambda_.Architecture
    ) -> dict[str, Any]:
        """Options of an image asset: one target of the Dockerfile, and what it may copy."""
        return {
            "file": "Dockerfile",
            "target": target,
            "build_args": {"BASE_IMAGE": self.base_image},
            "exclude": assets.allow_list(*paths, "constraints.txt"),
            "ignore_mode": IgnoreMode.DOCKER,
            "platform": assets.platform(architecture),
        }

    def api_url(self, api: apigateway.RestApi) -> str:
        """API Gateway's own address."""
        return f"https://{api.rest_api_id}.execute-api.{api.env.region}.{api.stack.url_suffix}/v1"

    def sign_in_url(self, domain_prefix: str, region: str) -> str:
        """A domain of Cognito's own."""
        return f"https://{domain_prefix}.auth.{region}.amazoncognito.com"

    def principal(self, role_name: str) -> str:
        """A session of the role; the function's name follows."""
        return f"{Pseudo.ACCOUNT_ID}:assumed-role/{role_name}/"

    def operator_command(self, names: Names) -> str:
        """With name and stage, and the operator's own credentials."""
        return f"{PROGRAM}{_name_option(names)} --stage {names.stage}"

    @property
    def allows_private_webhooks(self) -> bool:
        """A receiver in an account's own network is no webhook."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """Sources, which the emulator's own interpreter and the task agent of `ops` run.

    `operator`: how people call the command line on this machine.
    """

    endpoint: str
    operator: str

    def training_image(self, architecture: lambda_.Architecture) -> ecs.ContainerImage:  # noqa: ARG002 - sources fit any
        """Only a name: the task agent runs the task's command from the checkout."""
        return ecs.ContainerImage.from_registry("circle/training:source")

    def tuning_processes(self, cpu_units: int) -> int:  # noqa: ARG002 - tasks are processes here
        """As many as the machine has CPUs."""
        return 0

    def delivery_seconds(self, stream_seconds: int) -> int:  # noqa: ARG002 - no buffer here
        """The emulator writes each record at once."""
        return 1

    def drift_function(
        self, scope: Construct, architecture: lambda_.Architecture, **options: Any
    ) -> lambda_.Function:
        """A zip of the same folders as the image's."""
        return lambda_.Function(
            scope,
            "Function",
            runtime=assets.RUNTIME,
            handler="lambdas.drift.handler.handler",
            code=assets.zip_sources(*assets.DRIFT),
            architecture=architecture,
            **options,
        )

    def api_url(self, api: apigateway.RestApi) -> str:
        """The path under which the emulator serves the stage ``v1``."""
        return f"{self.endpoint}/restapis/{api.rest_api_id}/v1/_user_request_"

    def sign_in_url(self, domain_prefix: str, region: str) -> str:  # noqa: ARG002 - one address for all
        """The emulator itself, which finds the pool by the client."""
        return self.endpoint

    def principal(self, role_name: str) -> str:  # noqa: ARG002 - everybody is root here
        """The one principal that an emulator knows."""
        return f"{Pseudo.ACCOUNT_ID}:root"

    def operator_command(self, names: Names) -> str:
        """Without a stage it works on this machine."""
        return f"{self.operator}{_name_option(names)}"

    @property
    def allows_private_webhooks(self) -> bool:
        """A receiver may run beside the emulator."""
        return True


def _name_option(names: Names) -> str:
    return "" if names.name == DEFAULT_NAME else f" --name {names.name}"


EMULATOR_NETWORK = TaskNetwork(subnet_ids=("subnet-00000001",), security_group_ids=("sg-00000001",))
"""The emulator's default subnet and security group; it starts no container in them."""
