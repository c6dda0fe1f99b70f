"""Put together what is known of one prediction, and record who looked before it is answered."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, cast

from adapters.api.rest import Problem
from adapters.erasures import find_erasure
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.api.inspection import InspectedPrediction, LoggedValue, PredictionView
from domain.contract.context import LOGGED_ROLES, Context
from domain.contract.deployed_context import DeployedContext
from domain.contract.feature import Feature
from domain.contract.records import PREDICTION_COLUMNS, is_prediction_id
from domain.erasure import hash_prediction
from domain.errors import BadBundle, BadKey
from domain.model.bundle import Bundle
from domain.model.shap import Explanation
from lambdas.inspection.log import PredictionLog, Row

NOT_EXPLAINED = "The log no longer has every feature that this version scored."


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The stores. `context`: the context columns that the log has beside a model's features."""

    log: PredictionLog
    models: ModelStore
    data: Bucket
    reports: Bucket
    context: DeployedContext

    def inspect(self, text: str, *, viewer: str, now: datetime) -> InspectedPrediction:
        """The prediction with that id, once the view is recorded; raises Problem without it."""
        prediction_id = text.lower()
        row = self.log.find(prediction_id) if is_prediction_id(prediction_id) else None
        if row is None:
            raise self._explain_absence(prediction_id)
        found = self._describe(prediction_id, row)
        self._record(found, viewer, times.to_millis(now))
        return found

    def _record(self, found: InspectedPrediction, viewer: str, now: int) -> None:
        """Store who looked at what and when; whoever gets the answer has been recorded."""
        view = PredictionView(
            viewer=viewer,
            viewed_at=now,
            prediction=found.prediction_id,
            prediction_sha256=hash_prediction(found.prediction_id),
            model_version=found.model_version,
        )
        key = keys.prediction_view(view.prediction_sha256, now, secrets.token_hex(8))
        self.reports.put(key, view.to_json(), content_type="application/json")

    def _explain_absence(self, prediction_id: str) -> Problem:
        erasure = find_erasure(self.data, prediction_id)
        if erasure is None:
            detail = (
                "No prediction in the log has this id: none was logged, it hasn't been delivered"
                " yet, which takes some minutes, or its record has expired."
            )
            return Problem(HTTPStatus.NOT_FOUND, "Not found", detail)
        at = f"{times.from_millis(erasure.finished_at):%Y-%m-%d %H:%M} UTC"
        detail = f"The record of this prediction was erased on {at}, together with its label."
        return Problem(HTTPStatus.GONE, "Erased", detail)

    def _describe(self, prediction_id: str, row: Row) -> InspectedPrediction:
        version, predicted_at = str(row["model_version"]), int(row["predicted_at"] or 0)
        bundle = self._load(version)
        explanation: Explanation | None = None
        problem = bundle if isinstance(bundle, str) else ""
        features: tuple[LoggedValue, ...]
        if isinstance(bundle, str):
            known = {entry.column for entry in self.context.in_requests.columns}
            others = (n for n in row if n not in PREDICTION_COLUMNS and n not in known)
            features = tuple(_show(name, row) for name in others)
            context = self.context.in_requests.columns
        else:
            contract = bundle.contract
            context = self.context.add_to(contract).request_context.columns
            explanation = _explain(bundle, row)
            if explanation is None:
                problem = NOT_EXPLAINED
            points = explanation.to_points() if explanation else {}
            features = tuple(_show_feature(f, row, points.get(f.name)) for f in contract.features)
        reference = cast(str | None, row.get("reference"))
        label = self.log.find_label(prediction_id, reference, predicted_at=predicted_at)
        return InspectedPrediction(
            prediction_id=prediction_id,
            predicted_at=predicted_at,
            model_version=version,
            contract_version=str(row["contract_version"]),
            target=None if isinstance(bundle, str) else bundle.contract.target,
            probability=cast(float, row["probability"]),
            threshold=cast(float, row["threshold"]),
            predicted=str(row["predicted"]).lower() == "true",
            source=cast(Any, row["source"]),
            reference=reference,
            features=features,
            context=tuple(_show_context(context, row)),
            baseline=explanation.baseline if explanation else None,
            problem=problem,
            label=label.value if label else None,
            label_observed_at=label.observed_at if label else None,
        )

    def _load(self, version: str) -> Bundle | str:
        """The version's bundle, checked against its seal; a sentence where it can't be loaded."""
        try:
            return self.models.load_bundle(self.models.find_model(version))
        except (BadBundle, BadKey) as error:
            return f"The bundle of version {version} can't be used: {error}"


def _explain(bundle: Bundle, row: Row) -> Explanation | None:
    """Explain the logged features; None if one of them is no value of its feature any more."""
    features = bundle.contract.features
    if any(not feature.accepts(row.get(feature.column)) for feature in features):
        return None
    return bundle.explain(tuple(f.cast(row.get(f.column)) for f in features))


def _show(name: str, row: Row) -> LoggedValue:
    return LoggedValue(name=name, title=name, kind="text", unit="", value=row[name], points=None)


def _show_feature(feature: Feature, row: Row, points: float | None) -> LoggedValue:
    value = row.get(feature.column)
    return LoggedValue(
        name=feature.name,
        title=feature.title or feature.name,
        kind=feature.kind,
        unit=feature.unit,
        value=feature.cast(value) if feature.accepts(value) else value,
        points=points,
    )


def _show_context(columns: tuple[Context, ...], row: Row) -> Iterator[LoggedValue]:
    """The context without whose it is: the subject is not shown, the reference is elsewhere."""
    for entry in columns:
        if entry.role not in LOGGED_ROLES:
            yield LoggedValue(
                name=entry.name,
                title=entry.title or entry.name,
                kind=entry.kind,
                unit=entry.values.unit if entry.values else "",
                value=row.get(entry.column),
                points=None,
            )
