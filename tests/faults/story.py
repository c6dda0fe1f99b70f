"""One story of the loop: promotions, a rollback, alerts, a run on demand, labels, a retraining.

Its parts are the product's own, and each is repeated as its environment repeats it: a state of the
state machine while the error may pass, an asynchronous invocation of Lambda after any error.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from adapters import aws
from adapters.events import EventBus
from adapters.mail import Mailer
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from adapters.streams import RecordStream
from adapters.topic import Topic
from domain import keys, times
from domain.api.report_token import ReportSecret
from domain.contract.contract import Contract
from domain.drift.drift import Outcome
from domain.drift.drift_request import RequestRecord
from domain.drift.incident import Transition
from domain.drift.retraining import DetectedDrift
from domain.drift.summary import Summary
from domain.model.bundle import Bundle, digest
from domain.model.champion import ModelRef
from domain.model.scorer import Forest
from domain.training.steps import Promoted
from lambdas.drift.requested import OnDemandRuns
from lambdas.retrain_guard.retrain import Training, retrain
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from tests.unit.monitoring import drift_summary
from tests.unit.training_job.promotion.test_promote_crash import Registry, RegistryClient, Writes
from training_job.errors import AwsUnavailable
from training_job.inputs import ExecutionInput, State
from training_job.promotion import lock
from training_job.promotion.choice import Choice
from training_job.promotion.promote import promote
from training_job.promotion.repair import repair

T = TypeVar("T")

STATE_ATTEMPTS = 4
"""The state machine tries a state again three times after an error that may pass."""
INVOCATION_ATTEMPTS = 3
"""Lambda repeats an asynchronous invocation twice."""
ROLE = "arn:aws:iam::000000000000:role/any"
LABELS = [json.dumps({"prediction_id": f"{n:08d}", "label": n % 3 == 0}) for n in range(40)]
SENDER, CONFIGURATION_SET = "from@example.org", "stories"
NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Clients:
    """boto3 clients as the entry points make them, with shorter patience."""

    s3: Any
    mail: Any
    topic: Any
    bus: Any
    states: Any
    firehose: Any

    @classmethod
    def make(cls, *, timeout_seconds: float) -> "Clients":
        """They go where `AWS_ENDPOINT_URL` leads."""
        return cls(
            s3=aws.client("s3", timeout_seconds=timeout_seconds, attempts=5),
            mail=aws.client("sesv2", timeout_seconds=timeout_seconds, attempts=1),
            topic=aws.client("sns", timeout_seconds=timeout_seconds, attempts=1),
            bus=aws.client("events", timeout_seconds=timeout_seconds),
            states=aws.client("stepfunctions", timeout_seconds=timeout_seconds),
            firehose=aws.client("firehose", timeout_seconds=timeout_seconds, attempts=1),
        )


@dataclass
class Site:
    """What a story happens in: made without faults, by clients that go past the proxy."""

    name: str
    bucket: str
    topic_arn: str
    machine_arn: str
    stream: str
    models: dict[int, ModelRef]

    @classmethod
    def build(cls, direct: Clients, contract: Contract) -> "Site":
        """A bucket with three stored versions, a topic, a state machine, a stream."""
        name = f"story-{uuid.uuid4().hex[:12]}"
        direct.s3.create_bucket(Bucket=name)
        machine = direct.states.create_state_machine(
            name=name,
            definition=json.dumps({"StartAt": "Wait", "States": {"Wait": WAIT}}),
            roleArn=ROLE,
        )
        destination = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{name}", "Prefix": "labels/"}
        direct.firehose.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination
        )
        bucket, models = Bucket(direct.s3, name), {}
        for number in (1, 2, 3):
            leaf = Forest(0.0, (0,), (-1,), (float(number),), (0,), (0,), (1,), (1.0,))
            content = Bundle(contract, leaf, 0.5).to_bytes()
            models[number] = ModelRef.of(number, digest(content))
            bucket.put(models[number].bundle_key, content)
        bucket.put(f"{keys.RAW}patients.csv", b"rows")
        return cls(
            name=name,
            bucket=name,
            topic_arn=direct.topic.create_topic(Name=name)["TopicArn"],
            machine_arn=machine["stateMachineArn"],
            stream=name,
            models=models,
        )


WAIT = {"Type": "Wait", "Seconds": 600, "End": True}


@dataclass
class Story:
    """The parts over one site. `failed` collects the parts whose repetitions all failed."""

    site: Site
    clients: Clients
    registry: Registry = field(default_factory=Registry)
    failed: list[str] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    on_demand: list[str] = field(default_factory=list)
    waits: Callable[[float], None] = lambda _: None

    def __post_init__(self) -> None:
        self.registry.hashes = {str(n): model.sha256 for n, model in self.site.models.items()}

    @property
    def bucket(self) -> Bucket:
        """All three buckets in one: their keys don't clash."""
        return Bucket(self.clients.s3, self.site.bucket)

    def tell(self) -> None:
        """All of it, in order."""
        self.promote_version(1, replaces=0)
        self.promote_version(2, replaces=1)
        self.watch(drift_summary(Outcome.DATA_DRIFT, "age", day=0), "monday")
        self.start_training("monday")
        self.roll_back(to=1, replaces=2)
        self.run_now("0f8fad5b-d9cb-469f-a165-70867728950e")
        self.label()
        self.watch(drift_summary(Outcome.STABLE, day=1), "tuesday")
        self.promote_version(3, replaces=3)

    def end(self) -> None:
        """A day later nothing fails: what was left for later is done now."""
        self.promote_version(2, replaces=None)
        self.watch(drift_summary(Outcome.STABLE, day=2), "wednesday")
        self.start_training("monday")

    def promote_version(self, number: int, *, replaces: int | None) -> None:
        """An execution of the state machine that promotes a version by its name."""
        self._ask(f"promote-{number}-{replaces}", number, replaces)

    def roll_back(self, *, to: int, replaces: int) -> None:
        """An execution of the state machine that goes back."""
        self._ask(f"back-to-{to}", to, replaces)

    def _ask(self, execution: str, number: int, replaces: int | None) -> None:
        client: Any = RegistryClient(self.registry, Writes())

        def run() -> Promoted:
            asked = ExecutionInput(
                promote_version=self.site.models[number].version, replaces_seq=replaces
            )
            return promote(
                models=self.bucket,
                tracking=client,
                choice=Choice.of(self.bucket, State(asked, {})),
                execution=execution,
                say=lambda _: None,
            )

        self._attempt(execution, run, STATE_ATTEMPTS, only_transient=True)

    def repair(self) -> None:
        """An execution of the state machine that restores the pointer."""
        client: Any = RegistryClient(self.registry, Writes())

        def run() -> Promoted:
            return repair(models=self.bucket, tracking=client, execution="mend", say=lambda _: None)

        self._attempt("mend", run, STATE_ATTEMPTS, only_transient=True)

    def watch(self, summary: Summary, owner: str) -> None:
        """A scheduled invocation of the drift function, from its verdict on."""
        self._attempt(owner, lambda: self._announce([summary], owner=owner), INVOCATION_ATTEMPTS)

    def run_now(self, request_id: str) -> None:
        """The dashboard records a request, and the bus delivers its event twice."""
        self.ask(request_id)
        self.deliver(request_id)

    def ask(self, request_id: str) -> None:
        """The dashboard records a request."""
        content = _record(request_id).to_json()
        self._attempt(
            "ask", lambda: self.bucket.put(keys.request(request_id), content), INVOCATION_ATTEMPTS
        )

    def deliver(self, request_id: str) -> None:
        """The bus delivers a request's event, twice."""
        event = {"detail-type": "DriftRequested", "detail": _record(request_id).detail}
        summary = drift_summary(Outcome.DATA_DRIFT, "bmi", day=-20)

        def run(owner: str) -> object:
            runs = OnDemandRuns(self.bucket, owner)
            return runs.handle(event, now=NOW, run=lambda _: self._judge(owner, summary))

        for owner in ("first delivery", "second delivery"):
            self._attempt(owner, partial(run, owner), INVOCATION_ATTEMPTS)

    def take_lock(self, execution: str) -> None:
        """The first state of a training."""
        self._attempt(
            "lock",
            lambda: lock.take(self.bucket, execution, is_running=lambda _: True),
            STATE_ATTEMPTS,
        )

    def _judge(self, owner: str, summary: Summary) -> list[Summary]:
        self.on_demand.append(owner)
        published = publishing.publish_run(self.bucket, summary, {"data_drift": "<p>page</p>"})
        publishing.index_runs(self.bucket, [published])
        return [published]

    def _announce(self, summaries: list[Summary], *, owner: str) -> None:
        """What `monitor` does once the verdicts are there."""
        pages = {"data_drift": "<p>page</p>"}
        published = [publishing.publish_run(self.bucket, s, pages) for s in summaries]
        alerting = Alerting(
            reports=self.bucket,
            notifier=self._notifier(),
            target=self.site.name,
            owner=owner,
            sleep=self.waits,
        )
        notified = alerting.handle_scheduled(published)
        publishing.publish_notified(self.bucket, notified, already=published)

    def _notifier(self) -> Notifier:
        return Notifier(
            mailer=Mailer(
                client=self.clients.mail,
                sender=SENDER,
                recipients="to@example.org",
                configuration_set=CONFIGURATION_SET,
            ),
            topic=Topic(self.clients.topic, self.site.topic_arn),
            bus=EventBus(self.clients.bus, "default"),
            links=Links("https://api.example.org/v1", ReportSecret("s" * 40)),
        )

    def start_training(self, detection: str) -> None:
        """The retrain guard gets the same detection twice."""
        training = Training(self.clients.states, self.site.machine_arn, self.bucket)

        def run() -> object:
            return retrain(
                drift=DetectedDrift(Transition.OPEN, (detection,)),
                training=training,
                decisions=self.bucket,
                bus=EventBus(self.clients.bus, "default"),
                now=time.time_ns() // 1_000_000,
                cool_down_ms=0,
            )

        for _ in range(2):
            self._attempt(f"guard {detection}", run, INVOCATION_ATTEMPTS)

    def label(self) -> None:
        """Two requests with labels; a caller repeats what wasn't acknowledged."""
        stream = RecordStream(
            client=self.clients.firehose,
            stream=self.site.stream,
            fallback=self.bucket,
            name="labels",
            patience_seconds=10.0,
        )
        lines = [f"{line}\n".encode() for line in LABELS]
        for part in (lines[:25], lines[25:]):
            self._attempt("label", partial(stream.append, part), INVOCATION_ATTEMPTS)
            self.acknowledged += part

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


def _record(request_id: str) -> RequestRecord:
    return RequestRecord(id=request_id, requested_at=times.to_millis(NOW), request={"last_rows": 5})


def read_lines(bucket: Bucket, prefixes: Iterable[str]) -> list[bytes]:
    """Every line of the objects under these prefixes."""
    stored = [bucket.get(entry.key) for prefix in prefixes for entry in bucket.list(prefix)]
    return [line for found in stored if found for line in found.data.splitlines(keepends=True)]


def read_store(bucket: Bucket) -> ModelStore:
    """The models in a bucket."""
    return ModelStore(bucket)
