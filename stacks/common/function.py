"""A Lambda function in pure Python: a zip of its sources, and a layer with its libraries."""

from aws_cdk import Annotations, Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.common import assets
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.stage import Stage


def architecture(stage: Stage) -> lambda_.Architecture:
    """The stage's processor architecture."""
    arm = stage.architecture == "arm64"
    return lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64


def name_role(name: str) -> str:
    """A role's name, for a role that others recognise; the account has roles of all regions."""
    return f"{name}-{Aws.REGION}"


def create_role(scope: Construct, group: logs.ILogGroup, name: str | None = None) -> iam.Role:
    """A role that may write into this log group and do nothing else yet."""
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        role_name=None if name is None else name_role(name),
    )
    group.grant_write(role)
    return role


def tracing(stage: Stage) -> lambda_.Tracing:
    """Whether Lambda sends a trace of a share of the calls to X-Ray."""
    return lambda_.Tracing.ACTIVE if stage.tracing else lambda_.Tracing.DISABLED


def acknowledge_tracing(function: lambda_.Function, role: iam.Role, stage: Stage) -> None:
    """Accept cdk-nag's finding about a stage with traces, or about one without."""
    if stage.tracing:
        acknowledge(role, {wildcard_finding("*"): "X-Ray's actions take no resource."})
    else:
        acknowledge(
            function,
            {"Serverless-LambdaTracing": "X-Ray is paid by the trace; `tracing` turns it on."},
        )


class Libraries(Construct):
    """The layer with the functions' libraries, which `make setup` fills.

    Without it the templates are still written, but the CDK CLI refuses to deploy and says why.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.layers: list[lambda_.ILayerVersion] = []
        if not (assets.LAYER / "python").is_dir():
            Annotations.of(self).add_error(
                "build/layer/python is missing: run `make setup`, which fills it."
            )
            return
        self.layers.append(
            lambda_.LayerVersion(
                self,
                "Layer",
                description="Libraries of the functions",
                code=lambda_.Code.from_asset(str(assets.LAYER), exclude=["**/__pycache__"]),
                compatible_runtimes=[assets.RUNTIME],
            )
        )


class ZipFunction(Construct):
    """The function in ``lambdas/<component>``; `files` of the repository go into its zip too.

    `dead_letters` gets the events on which the function failed; None where callers wait for the
    answer, so that no event can be lost. `key` encrypts the function's log. `role_name`: see
    `name_role`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        component: str,
        stage: Stage,
        libraries: Libraries,
        timeout: Duration,
        environment: dict[str, str],
        key: kms.IKey,
        dead_letters: sqs.IQueue | None = None,
        memory_size: int = 256,
        files: tuple[str, ...] = (),
        role_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        group = create_log_group(self, stage, key)
        self.role = create_role(self, group, role_name)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=assets.RUNTIME,
            architecture=architecture(stage),
            handler=f"lambdas.{component}.handler.handler",
            code=assets.zip_sources(*assets.component_paths(component), *files),
            layers=libraries.layers,
            timeout=timeout,
            memory_size=memory_size,
            environment=environment,
            role=self.role,
            log_group=group,
            tracing=tracing(stage),
            dead_letter_queue=dead_letters,
        )
        version = "Python 3.13, as in the images: one version is tested everywhere."
        reasons = {"AwsSolutions-L1": version, "Serverless-LambdaLatestVersion": version}
        if dead_letters is None:
            reasons["Serverless-LambdaDLQ"] = "Its callers wait for the answer, so they know."
        acknowledge(self.function, reasons)
        acknowledge_tracing(self.function, self.role, stage)
