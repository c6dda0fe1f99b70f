"""Serving: predictor, labels and dashboard behind one API."""

from aws_cdk import Duration, Stack
from constructs import Construct

from domain import keys
from lambdas.labels.settings import Settings as LabelsSettings
from lambdas.predictor.settings import Settings as PredictorSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.common.outputs import write_outputs
from stacks.serving.api import KeyedApi
from stacks.serving.changes import Changes
from stacks.serving.dashboard import Dashboard
from stacks.serving.inspection import Inspection
from stacks.serving.sign_in import SignIn
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from stacks.target import Target
from stacks.training.training import TrainingStack

GATEWAY_TIMEOUT = Duration.seconds(29)
"""API Gateway stops waiting then, so a function that worked on would work for nobody."""


class ServingStack(Stack):
    """The functions that answer people, each with only the objects it needs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        training: TrainingStack,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=settings.stage.retain)
        self._settings, self._storage = settings, storage
        self._libraries = Libraries(self, "Libraries")
        operator_command = target.operator_command(settings.names)
        self.predictor = self._predictor(operator_command)
        self.labels = self._labels()
        self.api = KeyedApi(
            self, "Api", names=settings.names, stage=settings.stage, key=storage.key
        )
        self.api_url = target.api_url(self.api.rest_api)
        sign_in = self._sign_in(target)
        self.dashboard = Dashboard(
            self,
            "Dashboard",
            settings=settings,
            libraries=self._libraries,
            timeout=GATEWAY_TIMEOUT,
            storage=storage,
            training=training,
            operator_command=operator_command,
            sign_in=sign_in,
        )
        for method, path in (("POST", "/predict"), ("GET", "/model"), ("GET", "/health")):
            self.api.add(method, path, self.predictor.function)
        self.api.add("GET", "/openapi.json", self.predictor.function, caller="anybody")
        self.api.add("POST", "/labels", self.labels.function)
        self.dashboard.add_routes(self.api)
        outputs = {"api_url": self.api_url, "api_key_id": self.api.key.key_id}
        if sign_in:
            self.api.add("POST", "/people/predict", self.predictor.function, caller="person")
            self.api.add("POST", "/people/labels", self.labels.function, caller="person")
            Changes(
                self,
                "Changes",
                settings=settings,
                libraries=self._libraries,
                timeout=GATEWAY_TIMEOUT,
                storage=storage,
                training=training,
                operator_command=operator_command,
                api=self.api,
            )
            Inspection(
                self,
                "Inspection",
                settings=settings,
                libraries=self._libraries,
                timeout=GATEWAY_TIMEOUT,
                storage=storage,
                api=self.api,
            )
            outputs["user_pool"] = sign_in.pool.user_pool_id
        write_outputs(self, **outputs)

    def _sign_in(self, target: Target) -> SignIn | None:
        """The user pool, where people sign in; its tokens open the API's routes for people."""
        settings = self._settings
        if not settings.has_login:
            return None
        sign_in = SignIn(
            self,
            "SignIn",
            names=settings.names,
            stage=settings.stage,
            page_url=f"{self.api_url}/",
            target=target,
        )
        self.api.let_in(sign_in.pool)
        return sign_in

    def _predictor(self, operator_command: str) -> ZipFunction:
        storage = self._storage
        predictor = self._function(
            "Predictor",
            "predictor",
            PredictorSettings(
                models_bucket=storage.models.bucket_name,
                predictions_bucket=storage.predictions.bucket_name,
                log_stream=storage.prediction_log.stream.stream_name,
                metrics_namespace=self._settings.names.metrics_namespace,
                operator_command=operator_command,
                context=self._settings.context_text or None,
                has_login=self._settings.has_login or None,
            ).to_env(),
            # 55 MB are used; the rest is for the processor that comes with it, 0.58 of one. What
            # computes (a cold start, a batch, an explanation) takes half the time it would with 512
            # MB and costs the same; waiting for the stream costs twice as much, some cents per
            # 100,000 requests.
            memory_size=1024,
        )
        grants.read(
            predictor.role,
            storage.models,
            keys.CHAMPION,
            f"{keys.BUNDLES}*/bundle.json.gz",
            f"{keys.BUNDLES}*/card.json",
        )
        grants.list_keys(predictor.role, storage.models)
        storage.prediction_log.stream.grant_put(predictor.role)
        grants.write(predictor.role, storage.predictions, f"{keys.FALLBACK}log/*")
        return predictor

    def _labels(self) -> ZipFunction:
        storage = self._storage
        labels = self._function(
            "Labels",
            "labels",
            LabelsSettings(
                predictions_bucket=storage.predictions.bucket_name,
                labels_stream=storage.labels.stream.stream_name,
                target=self._settings.contract.target,
                metrics_namespace=self._settings.names.metrics_namespace,
                context=self._settings.context_text or None,
            ).to_env(),
        )
        storage.labels.stream.grant_put(labels.role)
        grants.write(labels.role, storage.predictions, f"{keys.FALLBACK}labels/*")
        return labels

    def _function(
        self, construct_id: str, component: str, environment: dict[str, str], memory_size: int = 256
    ) -> ZipFunction:
        return ZipFunction(
            self,
            construct_id,
            component=component,
            stage=self._settings.stage,
            libraries=self._libraries,
            timeout=GATEWAY_TIMEOUT,
            environment=environment,
            key=self._storage.key,
            memory_size=memory_size,
        )
