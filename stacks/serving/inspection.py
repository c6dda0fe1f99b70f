"""The function by which people open single predictions, the only one that shows their features."""

from aws_cdk import Duration
from constructs import Construct

from domain import keys
from domain.api.inspection import ROUTES
from domain.contract.records import PREDICTION_TABLE
from lambdas.inspection.settings import Settings as InspectionSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.serving.api import KeyedApi
from stacks.settings import Settings
from stacks.storage.queries import grant_queries
from stacks.storage.storage import StorageStack

TABLES = tuple(f"{log}{part}" for log in (PREDICTION_TABLE, "labels") for part in ("", "_fallback"))


class Inspection(Construct):
    """It may read the logs, bundles and what erasures say, and write a record of each view."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        libraries: Libraries,
        timeout: Duration,
        storage: StorageStack,
        api: KeyedApi,
    ) -> None:
        super().__init__(scope, construct_id)
        backend = ZipFunction(
            self,
            "Backend",
            component="inspection",
            stage=settings.stage,
            libraries=libraries,
            timeout=timeout,
            environment=InspectionSettings(
                data_bucket=storage.data.bucket_name,
                models_bucket=storage.models.bucket_name,
                reports_bucket=storage.reports.bucket_name,
                database=storage.database.ref,
                workgroup=storage.workgroup.name,
                metrics_namespace=settings.names.metrics_namespace,
                context=settings.context_text or None,
            ).to_env(),
            key=storage.key,
            memory_size=1024,  # a bundle takes up to a third of it
        )
        grant_queries(backend.role, storage, TABLES)
        folders = ("log/*", "labels/*", f"{keys.FALLBACK}log/*", f"{keys.FALLBACK}labels/*")
        grants.read(backend.role, storage.predictions, *folders)
        grants.read(backend.role, storage.models, f"{keys.BUNDLES}*/bundle.json.gz")
        grants.list_keys(backend.role, storage.models)
        names = ("certificate.json", "erased_predictions.json")
        grants.read(backend.role, storage.data, *(f"{keys.ERASURES}*/{name}" for name in names))
        grants.list_keys(backend.role, storage.data)
        grants.write(backend.role, storage.reports, f"{keys.PREDICTION_VIEWS}*")
        for route in ROUTES:
            api.add(route.method.upper(), route.path, backend.function, caller="person")
