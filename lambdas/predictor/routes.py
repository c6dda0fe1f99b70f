"""The routes of the predictor."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from adapters.api.proxy import Api, ErrorTable, Mapped
from adapters.api.request import Request
from adapters.api.rest import Answer, answer
from adapters.s3 import Bucket
from adapters.streams import RecordStream
from adapters.telemetry import Observation, Telemetry
from domain import metrics
from domain.api import requests
from domain.api.people import ROUTES as PEOPLES_ROUTES
from domain.contract.deployed_context import DeployedContext
from lambdas.predictor.model_cache import ModelCache, NoModel, Snapshot
from lambdas.predictor.predict import make_id_factory, predict, read_instances

ERRORS: ErrorTable = {
    NoModel: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, "No model", retry_after=10),
}


@dataclass(frozen=True, slots=True)
class Predictor:
    """The routes, with their model cache and stream. `has_login`: people sign in."""

    models: ModelCache
    stream: RecordStream
    has_login: bool

    def predict(self, request: Request, observation: Observation) -> Answer:
        """POST /predict."""
        return self._predict(request, observation, request.caller, only_test=False)

    def try_out(self, request: Request, observation: Observation) -> Answer:
        """POST /people/predict: somebody who signed in tries the model, as with `test=true`."""
        return self._predict(request, observation, request.signed_in.name, only_test=True)

    def _predict(
        self, request: Request, observation: Observation, caller: str, *, only_test: bool
    ) -> Answer:
        model = self._observed(observation).serving()
        observation.properties["model_version"] = model.version
        explained, is_test = requests.read_flags(request.repeated_query, "explain", "test")
        instances, batch = read_instances(request.json(), model.contract, explained=explained)
        now = time.time_ns() // 1_000_000
        predictions = predict(
            instances=instances,
            model=model,
            stream=self.stream,
            new_id=make_id_factory(
                idempotency_key=request.headers.get("idempotency-key"),
                scope=caller,
                body=request.body,
                now=now,
            ),
            now=now,
            explained=explained,
            source="test" if is_test or only_test else "api",
        )
        observation.count(metrics.INSTANCES, len(instances))
        observation.count(metrics.POSITIVES, predictions.positives)
        observation.count(metrics.LOG_FALLBACKS, predictions.fallbacks)
        answers = predictions.answers
        return answer(HTTPStatus.OK, {"predictions": answers} if batch else answers[0])

    def model(self, _: Request, observation: Observation) -> Answer:
        """GET /model: the champion's card; fields of the loaded bundle take precedence."""
        model = self._observed(observation).serving()
        own = {
            "version": model.version,
            "contract_version": model.bundle.contract.version,
            "target": model.bundle.contract.target,
            "threshold": model.bundle.threshold,
        }
        card = self.models.card(model)
        return answer(HTTPStatus.OK, {**(card.to_dict() if card else {}), **own})

    def health(self, _: Request, observation: Observation) -> Answer:
        """GET /health: 200 while a model serves; `reasons` say why it may not be the champion."""
        snapshot = self._observed(observation)
        body = {
            "status": "degraded" if snapshot.troubles else "ok",
            "version": snapshot.serving().version,
            "reasons": snapshot.troubles,
        }
        return answer(HTTPStatus.OK, body)

    def openapi(self, _: Request, observation: Observation) -> Answer:
        """GET /openapi.json: the document for the contract of the loaded bundle."""
        from domain.api import openapi  # here, because POST /predict needs neither
        from domain.model.typical import read_typical

        model = self._observed(observation).serving()
        card = self.models.card(model)
        typical = read_typical(card.typical) if card else {}
        document = openapi.build_document(model.contract, typical, has_login=self.has_login)
        return answer(HTTPStatus.OK, document)

    def _observed(self, observation: Observation) -> Snapshot:
        snapshot = self.models.current()
        if snapshot.troubles and snapshot.model:
            observation.properties["degraded"] = snapshot.troubles
        return snapshot


def build(
    *,
    models: Bucket,
    champion_seconds: float,
    context: DeployedContext,
    stream: RecordStream,
    telemetry: Telemetry,
    operator: str,
    has_login: bool = False,
) -> Api:
    """Build the function's API; `operator` is how the operator's command line is called."""

    def report(snapshot: Snapshot) -> None:
        if snapshot.model is None and not snapshot.troubles:
            telemetry.warn("no champion yet", next_step=f"{operator} status")
        for trouble in snapshot.troubles:
            telemetry.warn("model trouble", reason=trouble)
        if snapshot.troubles:
            properties = {"correlation_id": telemetry.correlation_id}
            if snapshot.model:
                properties["model_version"] = snapshot.model.version
            seen = Observation(properties=properties)
            seen.count(metrics.BUNDLE_TROUBLE, len(snapshot.troubles))
            telemetry.emit(seen)

    cache = ModelCache(bucket=models, seconds=champion_seconds, context=context, on_check=report)
    predictor = Predictor(models=cache, stream=stream, has_login=has_login)
    routes = {
        ("POST", "/predict"): predictor.predict,
        ("POST", "/people/predict"): predictor.try_out,
        ("GET", "/model"): predictor.model,
        ("GET", "/health"): predictor.health,
        ("GET", "/openapi.json"): predictor.openapi,
    }
    return Api(routes=routes, telemetry=telemetry, errors=ERRORS, needed=PEOPLES_ROUTES)
