"""The function by which people change what serves. It asks the training machine to do it."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain import keys
from domain.api.change_routes import ROUTES
from lambdas.changes.settings import Settings as ChangesSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.serving.api import KeyedApi
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from stacks.training.training import TrainingStack


class Changes(Construct):
    """It may start the machine, answer what waits there, and read what there is to change.

    Its role has a fixed name, by which a promotion recognises that it acts for people.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        libraries: Libraries,
        timeout: Duration,
        storage: StorageStack,
        training: TrainingStack,
        operator_command: str,
        api: KeyedApi,
    ) -> None:
        super().__init__(scope, construct_id)
        machine = training.machine.state_machine_arn
        backend = ZipFunction(
            self,
            "People",
            component="changes",
            stage=settings.stage,
            libraries=libraries,
            timeout=timeout,
            environment=ChangesSettings(
                models_bucket=storage.models.bucket_name,
                reports_bucket=storage.reports.bucket_name,
                state_machine_arn=machine,
                metrics_namespace=settings.names.metrics_namespace,
                operator_command=operator_command,
            ).to_env(),
            key=storage.key,
            role_name=settings.names.people,
        )
        backend.role.add_to_policy(
            iam.PolicyStatement(
                actions=["states:StartExecution", "states:SendTaskSuccess"], resources=[machine]
            )
        )
        bundles = f"{keys.BUNDLES}*/bundle.json.gz"
        grants.read(backend.role, storage.models, keys.CHAMPION, bundles)
        grants.list_keys(backend.role, storage.models)
        grants.read(backend.role, storage.reports, f"{keys.PROPOSALS}*")
        grants.list_keys(backend.role, storage.reports)
        for route in ROUTES:
            api.add(route.method.upper(), route.path, backend.function, caller="person")
