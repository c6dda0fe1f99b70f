"""The dashboard: its page, and the only function behind the API that may read reports."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain import keys
from domain.api.dashboard_routes import ROUTES
from lambdas.dashboard.settings import Settings as DashboardSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.serving.api import Caller, KeyedApi
from stacks.serving.sign_in import SignIn
from stacks.settings import Settings
from stacks.storage.storage import StorageStack

WEB = "web"
TABLES = ("prediction_log", "prediction_log_fallback")


class Dashboard(Construct):
    """The function, the rights of its role, and its routes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        libraries: Libraries,
        timeout: Duration,
        storage: StorageStack,
        operator_command: str,
        sign_in: SignIn | None,
    ) -> None:
        super().__init__(scope, construct_id)
        environment = DashboardSettings(
            reports_bucket=storage.reports.bucket_name,
            models_bucket=storage.models.bucket_name,
            report_secret_arn=storage.report_secret.secret_arn,
            event_bus=storage.bus.event_bus_name,
            database=storage.database.ref,
            workgroup=storage.workgroup.name,
            operator_command=operator_command,
            metrics_namespace=settings.names.metrics_namespace,
            retention=settings.stage.retention.to_text() or None,
            sign_in_url=None if sign_in is None else sign_in.url,
            sign_in_client=None if sign_in is None else sign_in.client_id,
        )
        backend = ZipFunction(
            self,
            "Backend",
            component="dashboard",
            files=(WEB,),
            stage=settings.stage,
            libraries=libraries,
            timeout=timeout,
            environment=environment.to_env(),
            key=storage.key,
            memory_size=512,
        )
        self.function = backend.function
        self._grant_stores(backend.role, storage)
        self._grant_queries(backend.role, storage)

    def add_routes(self, api: KeyedApi) -> None:
        """Send the dashboard's routes to its function."""
        for route in ROUTES:
            caller: Caller = "anybody" if route.keyless else "person"
            api.add(route.method.upper(), route.path, self.function, caller=caller)

    def _grant_stores(self, role: iam.IRole, storage: StorageStack) -> None:
        decisions = (f"{keys.RETRAINING}*", f"{keys.PROPOSALS}*")
        written = (f"{keys.REQUESTS}*", f"{keys.ACKNOWLEDGEMENTS}*")
        shown = (f"{keys.RUNS}*", keys.ALERT_STATE, *decisions, *written)
        grants.read(role, storage.reports, *shown)
        grants.write(role, storage.reports, *written)
        grants.list_keys(role, storage.reports)
        cards = f"{keys.BUNDLES}*/card.json"
        grants.read(role, storage.models, keys.CHAMPION, f"{keys.LEDGER}*", cards)
        grants.list_keys(role, storage.models)
        grants.read_secret(role, storage.report_secret)
        storage.bus.grant_put_events_to(role)

    def _grant_queries(self, role: iam.IRole, storage: StorageStack) -> None:
        """Grant queries: Athena reads the log and writes results with its caller's rights."""
        stack = Stack.of(self)
        names = ("catalog", f"database/{storage.database.ref}")
        tables = (f"table/{storage.database.ref}/{table}" for table in TABLES)
        workgroup = f"workgroup/{storage.workgroup.name}"
        allow = {
            (
                "athena:StartQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:StopQueryExecution",
            ): [stack.format_arn(service="athena", resource=workgroup)],
            ("glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"): [
                stack.format_arn(service="glue", resource=name) for name in (*names, *tables)
            ],
            ("s3:GetBucketLocation",): [storage.predictions.bucket_arn],
        }
        for actions, resources in allow.items():
            role.add_to_principal_policy(
                iam.PolicyStatement(actions=list(actions), resources=resources)
            )
        results = f"{keys.ATHENA}*"
        grants.read(role, storage.predictions, "log/*", f"{keys.FALLBACK}log/*", results)
        grants.write(role, storage.predictions, results, in_parts=True)
        grants.list_keys(role, storage.predictions)
