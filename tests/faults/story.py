"""One story of the loop, in three chapters: releases, serving, and watching.

Its parts are the product's own, and each is repeated as its environment repeats it: a state of the
state machine while the error may pass, an asynchronous invocation of Lambda after any error, a
request by a client that got no answer.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from adapters import aws
from adapters.api.proxy import Api
from adapters.events import EventBus
from adapters.mail import Mailer
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from adapters.streams import RecordStream
from adapters.telemetry import Telemetry
from adapters.topic import Topic
from domain import keys, times
from domain.api.report_token import ReportSecret
from domain.contract.deployed_context import DeployedContext
from domain.drift.drift_request import RequestRecord
from domain.drift.incident import Transition
from domain.drift.retraining import DetectedDrift, Rules
from domain.drift.summary import Summary
from domain.training.steps import Promoted
from lambdas.decisions.notices import Notices
from lambdas.decisions.notify import Channels, notify
from lambdas.drift.run_drift import run_drift
from lambdas.labels import routes as label_routes
from lambdas.predictor import routes as predictor_routes
from lambdas.retrain_guard.retrain import Training, retrain
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores
from monitoring_job.settings import Settings
from tests.faults.site import CONFIGURATION_SET, SENDER, Clients, Site
from tests.unit.fakes import api_event, make_sts
from tests.unit.monitoring import log, records, scored
from tests.unit.patients import patients
from training_job.errors import AwsUnavailable
from training_job.inputs import ExecutionInput, State
from training_job.promotion import lock
from training_job.promotion.choice import Choice
from training_job.promotion.promote import promote
from training_job.promotion.repair import repair

Chapter = Literal["releases", "serving", "watching"]
CHAPTERS: tuple[Chapter, ...] = ("releases", "serving", "watching")

STATE_ATTEMPTS = 4
"""The state machine tries a state again three times after an error that may pass."""
INVOCATION_ATTEMPTS = 3
"""Lambda repeats an asynchronous invocation twice."""
REQUEST_ATTEMPTS = 6
"""So often a client repeats a request that got no answer."""
REQUEST_ROWS = 8
"""Rows of each of the two requests for predictions."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
REQUEST = "0f8fad5b-d9cb-469f-a165-70867728950e"


@dataclass(frozen=True)
class Prediction:
    """What a client was answered."""

    id: str
    probability: float
    version: str


@dataclass
class Story:
    """The parts over one site. `failed` collects the parts whose repetitions all failed.

    `direct`: clients past the proxy. `mails`: how many are due.
    """

    site: Site
    clients: Clients
    direct: Clients
    failed: list[str] = field(default_factory=list)
    answered: list[Prediction] = field(default_factory=list)
    labelled: set[str] = field(default_factory=set)
    on_demand: list[str] = field(default_factory=list)
    mails: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    waits: Callable[[float], None] = lambda _: None

    @property
    def bucket(self) -> Bucket:
        """All buckets in one: their keys don't clash."""
        return Bucket(self.clients.s3, self.site.name)

    @property
    def undisturbed(self) -> "Story":
        """The same story, past the proxy."""
        return replace(self, clients=self.direct)

    def prepare(self, chapter: Chapter) -> None:
        """What comes before a chapter, without faults."""
        undisturbed = self.undisturbed
        if chapter != "releases":
            undisturbed.promote_version(1, replaces=0)
        if chapter == "watching":
            undisturbed.predict()
            undisturbed.label()

    def tell(self, *chapters: Chapter) -> None:
        """Some chapters, in order; all without one."""
        for chapter in chapters or CHAPTERS:
            {"releases": self.release, "serving": self.serve, "watching": self.watch}[chapter]()

    def release(self) -> None:
        """Two promotions, a rollback, and a promotion that comes too late."""
        self.promote_version(1, replaces=0)
        self.promote_version(2, replaces=1)
        self.roll_back(to=1, replaces=2)
        self.promote_version(3, replaces=2)

    def serve(self) -> None:
        """Predictions and their labels."""
        self.predict()
        self.label()

    def watch(self) -> None:
        """Drift that recovers, a run on demand, and drift of what the predictor has answered."""
        for days, age in ((3, 12.0), (2, 0.0), (1, 0.0)):
            self.log_day(days, older=age)
            self.drift(days)
        self.mails += 2
        self.run_now(REQUEST)
        self.drift(0)
        self.mails += 1
        self.retrain()

    def end(self) -> None:
        """A day later nothing fails: what was left for later is done now."""
        undisturbed = self.undisturbed
        undisturbed.promote_version(2, replaces=None)
        undisturbed.drift(-1)
        undisturbed.retrain()

    # Releases.

    def promote_version(self, number: int, *, replaces: int | None) -> None:
        """An execution of the state machine that promotes a version by its name."""
        self._ask(f"promote-{number}-{replaces}", number, replaces)

    def roll_back(self, *, to: int, replaces: int) -> None:
        """An execution of the state machine that goes back."""
        self._ask(f"back-to-{to}", to, replaces)

    def _ask(self, execution: str, number: int, replaces: int | None) -> None:
        def run() -> Promoted:
            asked = ExecutionInput(
                promote_version=self.site.models[number].version, replaces_seq=replaces
            )
            return promote(
                models=self.bucket,
                tracking=self.site.registry(self.clients),
                choice=Choice.of(self.bucket, State(asked, {})),
                execution=execution,
                say=lambda _: None,
            )

        self._attempt(execution, run, STATE_ATTEMPTS, only_transient=True)

    def repair(self) -> None:
        """An execution of the state machine that restores the pointer."""

        def run() -> Promoted:
            tracking = self.site.registry(self.clients)
            return repair(
                models=self.bucket, tracking=tracking, execution="mend", say=lambda _: None
            )

        self._attempt("mend", run, STATE_ATTEMPTS, only_transient=True)

    def take_lock(self, execution: str) -> None:
        """The first state of a training."""
        self._attempt(
            "lock",
            lambda: lock.take(self.bucket, execution, is_running=lambda _: True),
            STATE_ATTEMPTS,
        )

    # Serving.

    def predict(self) -> None:
        """Two requests of a client, which repeats each until it is answered."""
        api = predictor_routes.build(
            models=self.bucket,
            champion_seconds=0.0,
            context=DeployedContext(),
            stream=self._stream("log"),
            telemetry=Telemetry("predictor", "stories"),
            operator="ops",
        )
        frame = patients(2 * REQUEST_ROWS, seed=5).assign(age=79.0, hypertension=1)
        rows = frame.drop(columns="diabetes").to_dict("records")
        for part in (rows[:REQUEST_ROWS], rows[REQUEST_ROWS:]):
            found = self._post(api, "/predict", {"instances": part})
            self.answered += [
                Prediction(p["prediction_id"], p["probability"], p["model_version"])
                for p in found.get("predictions", [])
            ]

    def label(self) -> None:
        """The outcomes of all answered predictions, in one request."""
        target = self.site.contract.target
        api = label_routes.build(
            stream=self._stream("labels"),
            target=target,
            reference=None,
            telemetry=Telemetry("labels", "stories"),
        )
        labels = [
            {"prediction_id": prediction.id, target: number % 2 == 0}
            for number, prediction in enumerate(self.answered)
        ]
        if labels and self._post(api, "/labels", {"labels": labels}):
            self.labelled |= {prediction.id for prediction in self.answered}

    def _post(self, api: Api, path: str, document: object) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        event = api_event("POST", path, json.dumps(document), headers=headers)
        found: dict[str, Any] = {}

        def run() -> None:
            answer = api.respond(event)
            if answer["statusCode"] != 200:
                raise ConnectionError(f"{path} answered {answer['statusCode']}: {answer['body']}")
            found.update(json.loads(answer["body"]))

        self._attempt(path, run, REQUEST_ATTEMPTS)
        return found

    def _stream(self, name: str) -> RecordStream:
        return RecordStream(
            client=self.clients.firehose,
            stream=self.site.stream(name),
            fallback=self.bucket,
            name=name,
            patience_seconds=10.0,
        )

    # Watching.

    def drift(self, days_ago: int) -> None:
        """A scheduled invocation of the drift function; day 0 holds the predictor's answers."""
        start = self.began - HOUR - days_ago * DAY
        event = {
            "start": start.isoformat(),
            "end": (start + DAY).isoformat(),
            "scheduled": True,
        }
        owner = f"drift of {days_ago}"
        run = partial(self._run_drift, event, now=start + DAY + HOUR, owner=owner)
        self._attempt(owner, run, INVOCATION_ATTEMPTS)

    def _run_drift(self, event: dict[str, Any], *, now: datetime, owner: str) -> object:
        name = self.site.name
        settings = Settings(
            models_bucket=name,
            predictions_bucket=name,
            reports_bucket=name,
            event_bus="default",
            topic_arn=self.site.topic_arn,
            report_secret_arn="",
            api_url="https://api.example.org/v1",
            mail_from=SENDER,
            mail_to=self.site.recipient,
            configuration_set=CONFIGURATION_SET,
            metrics_namespace="stories",
            stage="dev",
            operator_command="ops",
            minimum_rows=REQUEST_ROWS,
        )
        return run_drift(
            event=event,
            now=now,
            settings=settings,
            stores=Stores(models=self.bucket, predictions=self.bucket, reports=self.bucket),
            open_notifier=self._notifier,
            telemetry=Telemetry("drift", "stories"),
            owner=owner,
        )

    def log_day(self, days_ago: int, *, older: float) -> None:
        """Predictions of a day, as Firehose has stored them."""
        bucket = Bucket(self.direct.s3, self.site.name)
        day = self.began - days_ago * DAY
        frame = scored(150, seed=days_ago)
        version = self.site.models[1].version
        table = records(
            frame.assign(age=frame["age"] + older),
            self.site.contract,
            version=version,
            at=times.to_millis(day),
        )
        log(bucket, table, day=day)

    def run_now(self, request_id: str) -> None:
        """The dashboard records a request, and the bus delivers its event twice."""
        self.ask(request_id)
        self.deliver(request_id)

    def ask(self, request_id: str) -> None:
        """The dashboard records a request."""
        content = self._record(request_id).to_json()
        self._attempt(
            "ask", lambda: self.bucket.put(keys.request(request_id), content), INVOCATION_ATTEMPTS
        )

    def deliver(self, request_id: str) -> None:
        """The bus delivers a request's event, twice."""
        detail = self._record(request_id).detail
        event = {"detail-type": "DriftRequested", "detail": detail}

        def run(owner: str) -> None:
            found: Any = self._run_drift(event, now=datetime.now(UTC), owner=owner)
            if found.runs:
                self.on_demand.append(owner)

        for owner in ("first delivery", "second delivery"):
            self._attempt(owner, partial(run, owner), INVOCATION_ATTEMPTS)

    def _record(self, request_id: str) -> RequestRecord:
        day = (self.began - 9 * DAY).date()  # without predictions: the verdict isn't what counts
        return RequestRecord(
            id=request_id,
            requested_at=times.to_millis(self.began),
            request={"day": day.isoformat()},
        )

    def announce(self, summary: Summary, owner: str) -> None:
        """What a scheduled drift run does once its verdict is there."""

        def run() -> None:
            pages = {"data_drift": "<p>page</p>"}
            published = [publishing.publish_run(self.bucket, summary, pages)]
            alerting = Alerting(
                reports=self.bucket,
                notifier=self._notifier(),
                target=self.site.name,
                owner=owner,
                sleep=self.waits,
            )
            notified = alerting.handle_scheduled(published)
            publishing.publish_notified(self.bucket, notified, already=published)

        self._attempt(owner, run, INVOCATION_ATTEMPTS)

    def _notifier(self) -> Notifier:
        return Notifier(
            mailer=Mailer(
                client=self.clients.mail,
                sender=SENDER,
                recipients=self.site.recipient,
                configuration_set=CONFIGURATION_SET,
            ),
            topic=Topic(self.clients.topic, self.site.topic_arn),
            bus=EventBus(self.clients.bus, "default"),
            links=Links("https://api.example.org/v1", ReportSecret("s" * 40)),
            stage="dev",
            command="ops",
        )

    def propose(self) -> None:
        """A training proposes its model, and an operator rejects it; each event comes twice."""
        told = {"execution": "arn:t:e", "version": "1-0a1b2c3d", "reasons": ["Better."]}
        asked = {"proposed_at": "2026-01-01T00:00:00Z", "hours": 1, "token": "t"}

        def run(detail_type: str, detail: dict[str, Any]) -> object:
            return notify(
                detail_type=detail_type,
                detail=detail,
                reports=self.bucket,
                channels=Channels(self._notifier().mailer),
                notices=Notices("ops", "https://api.example.org/v1"),
                principals={},
                identify=lambda proof, _: f"arn:{proof}",
                now=time.time_ns() // 1_000_000,
            )

        for detail_type, detail in (
            ("PromotionProposed", told | asked),
            ("PromotionProposed", told | asked),
            ("PromotionRejected", told),
        ):
            self._attempt(detail_type, partial(run, detail_type, detail), INVOCATION_ATTEMPTS)

    def retrain(self) -> None:
        """The retrain guard gets two detections, the first of them twice."""
        training = Training(
            states=self.clients.states,
            sts=make_sts(),
            machine_arn=self.site.machine_arn,
            data=self.bucket,
            predictions=self.bucket,
            reports=self.bucket,
            label_maturity_days=0,
        )

        def run(detection: str) -> object:
            return retrain(
                drift=DetectedDrift(Transition.OPEN, (detection,)),
                training=training,
                bus=EventBus(self.clients.bus, "default"),
                now=time.time_ns() // 1_000_000,
                rules=Rules(mode="auto", cool_down_ms=0, monthly_limit=100),
            )

        for detection in ("monday", "monday", "tuesday"):
            self._attempt(f"guard {detection}", partial(run, detection), INVOCATION_ATTEMPTS)

    def _attempt(
        self, name: str, run: Callable[[], object], attempts: int, *, only_transient: bool = False
    ) -> None:
        for attempt in range(attempts):
            try:
                run()
            except (AttributeError, TypeError, NameError):  # a defect of the story itself
                raise
            except Exception as error:
                passes = aws.transient(error) or isinstance(error, AwsUnavailable)
                if attempt == attempts - 1 or (only_transient and not passes):
                    self.failed.append(f"{name}: {type(error).__name__}: {error}")
                    return
            else:
                return


def read_lines(bucket: Bucket, prefixes: Iterable[str]) -> list[bytes]:
    """Every line of the objects of JSON lines under these prefixes."""
    entries = [entry.key for prefix in prefixes for entry in bucket.list(prefix)]
    stored = [bucket.get(key) for key in entries if key.endswith(".jsonl")]
    return [line for found in stored if found for line in found.data.splitlines()]


def read_store(bucket: Bucket) -> ModelStore:
    """The models in a bucket."""
    return ModelStore(bucket)
