"""The dashboard: its page, and the only function behind the API that may read reports."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain import keys
from domain.api.dashboard_routes import ROUTES
from domain.contract.records import PREDICTION_TABLE
from lambdas.dashboard.settings import Settings as DashboardSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.serving.api import Caller, KeyedApi
from stacks.serving.sign_in import SignIn
from stacks.settings import Settings
from stacks.storage.queries import grant_queries
from stacks.storage.storage import StorageStack
from stacks.training.training import TrainingStack

WEB = "web"
TABLES = (PREDICTION_TABLE, f"{PREDICTION_TABLE}_fallback")


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
        training: TrainingStack,
        operator_command: str,
        sign_in: SignIn | None,
    ) -> None:
        super().__init__(scope, construct_id)
        environment = DashboardSettings(
            reports_bucket=storage.reports.bucket_name,
            models_bucket=storage.models.bucket_name,
            predictions_bucket=storage.predictions.bucket_name,
            report_secret_arn=storage.report_secret.secret_arn,
            event_bus=storage.bus.event_bus_name,
            state_machine_arn=training.machine.state_machine_arn,
            database=storage.database.ref,
            workgroup=storage.workgroup.name,
            operator_command=operator_command,
            metrics_namespace=settings.names.metrics_namespace,
            drift_schedule=settings.stage.drift_schedule,
            training_schedule=settings.stage.training_schedule or None,
            compaction_schedule=settings.stage.compaction_schedule or None,
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
        grant_queries(backend.role, storage, TABLES)
        grants.read(backend.role, storage.predictions, "log/*", f"{keys.FALLBACK}log/*")
        training.grant_list(backend.role)
        training.grant_describe(backend.role, "The page shows what any of them found.")

    def add_routes(self, api: KeyedApi) -> None:
        """Send the dashboard's routes to its function."""
        for route in ROUTES:
            caller: Caller = "anybody" if route.keyless else "person"
            api.add(route.method.upper(), route.path, self.function, caller=caller)

    def _grant_stores(self, role: iam.IRole, storage: StorageStack) -> None:
        decisions = (f"{keys.RETRAINING}*", f"{keys.PROPOSALS}*")
        written = (f"{keys.REQUESTS}*", f"{keys.ACKNOWLEDGEMENTS}*")
        shown = (f"{keys.RUNS}*", keys.ALERT_STATE, f"{keys.PROBATION}*", *decisions, *written)
        grants.read(role, storage.reports, *shown)
        grants.write(role, storage.reports, *written)
        grants.list_keys(role, storage.reports)
        cards = f"{keys.BUNDLES}*/card.json"
        grants.read(role, storage.models, keys.CHAMPION, keys.CHECK, f"{keys.LEDGER}*", cards)
        grants.list_keys(role, storage.models)
        grants.read_secret(role, storage.report_secret)
        storage.bus.grant_put_events_to(role)
