"""From a change of outcomes to a promoted champion, by the loop's own functions and no command.

Outcomes change for a group, and 30 % of the predictions get their label late, selected by score and
segment. The drift run finds the fall, the retrain guard decides, the steps of a training learn from
the labelled predictions, and the gate gives its verdict. What counts is F1 of the new champion
on rows that nobody has seen, beside a model that was trained on the full truth.

The steps run in this process, against an emulator and an MLflow database of their own.
"""

import io
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adapters import aws
from adapters.events import EventBus
from adapters.mail import Mailer
from adapters.model_store import ModelStore
from adapters.registry import Tracking
from adapters.s3 import Bucket
from adapters.topic import Topic
from benchmarks.harness import Figure, main
from domain import keys, times
from domain.api.report_token import ReportSecret
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.contract.records import LABEL_COLUMNS, prediction_log_columns, sample_key
from domain.drift.drift_request import DriftRequest
from domain.drift.incident import Transition
from domain.drift.retraining import Decision, DetectedDrift, Rules, Situation, decide
from domain.drift.summary import Summary
from domain.drift.window import Window
from domain.training.steps import Evaluated, Prepared, Promoted, Tuned
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores, monitor
from ops.laptop import ROOT, Laptop
from ops.local import emulator
from ops.local.processes import free_port
from ops.samples.outcomes import SCORED_TIMES
from tabular.arrow_types import ARROW_TYPES
from tabular.log_objects import LogObjects
from tabular.models import Models
from training_job.dataset.prepare import prepare
from training_job.dataset.production_rows import Source
from training_job.evaluation.evaluate import evaluate
from training_job.inputs import ExecutionInput, State
from training_job.model.encoding import encode
from training_job.model.walk import Walk
from training_job.promotion.choice import Choice
from training_job.promotion.promote import promote
from training_job.search.tune import tune

DAY = datetime(2026, 1, 31, tzinfo=UTC)
TEST_SHARE = 0.3
LABELLED, TRIALS = 0.3, 20
CONCEPT_AGE, CONCEPT_HBA1C = 60.0, 6.0
"""Under a new guideline, patients from this age on are positive from this HbA1c on."""
UPLOADED, LOGGED = 40_000, 30_000
RULES = Rules(mode="auto", cool_down_ms=times.DAY_MS, monthly_limit=4)


def relabel(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The outcomes after the change of the guideline."""
    changed = (frame["age"] >= CONCEPT_AGE) & (frame["HbA1c_level"] >= CONCEPT_HBA1C)
    return frame.assign(**{target: (frame[target].astype(bool) | changed).astype(int)})


def choose_labelled(
    logged: pd.DataFrame, share: float, random: np.random.Generator
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which predictions get a label: predicted positives more often, and women half as often."""
    chance = np.where(logged["predicted"], SCORED_TIMES, 1.0)
    chance = chance * np.where(logged["gender"] == "Female", 0.5, 1.0)
    return np.asarray(random.random(len(logged)) < share * chance / chance.mean())


@dataclass
class Loop:
    """One bucket that holds everything, a tracking server, and the channels of notifications."""

    contract: Contract
    bucket: Bucket
    tracking: Tracking
    notifier: Notifier
    limits: GateLimits
    trials: int
    seed: int = 1
    trainings: list[str] = field(default_factory=list)

    def upload(self, frame: pd.DataFrame) -> None:
        """Replace the uploaded data."""
        self.bucket.put(f"{keys.RAW}a.csv", frame.to_csv(index=False).encode())

    def train(self, *, until: int | None = None, name: str | None = None) -> Evaluated:
        """Prepare, tune and evaluate; `until`: learn from labelled predictions up to then (ms)."""
        name = name or f"training-{len(self.trainings)}"
        self.trainings.append(name)
        source = None
        if until is not None:
            source = Source(
                log=LogObjects(self.bucket),
                models=Models(self.bucket),
                start=until - 90 * times.DAY_MS,
                end=until,
                now=until + 30 * times.DAY_MS,
                test_share=TEST_SHARE,
            )
        prepared = prepare(
            contract=self.contract,
            bucket=self.bucket,
            raw_prefix=keys.RAW,
            salt="s",
            bad_row_share=0.01,
            execution=name,
            say=_say_nothing,
            source=source,
        )
        tuned = self._tune(prepared, name)
        return evaluate(**self._common(prepared, name), params=tuned.params, limits=self.limits)

    def _tune(self, prepared: Prepared, name: str) -> Tuned:
        return tune(**self._common(prepared, name), trials=self.trials, processes=1)

    def _common(self, prepared: Prepared, name: str) -> dict[str, Any]:
        return {
            "contract": self.contract,
            "data": self.bucket,
            "models": self.bucket,
            "tracking": self.tracking,
            "dataset_id": prepared.dataset_id,
            "execution": name,
            "seed": self.seed,
            "say": _say_nothing,
        }

    def promote(self, evaluated: Evaluated) -> Promoted:
        """Let the evaluated version serve."""
        state = State(ExecutionInput.parse({}), {evaluated.step: evaluated.to_dict()})
        return promote(
            models=self.bucket,
            tracking=self.tracking,
            choice=Choice.of(self.bucket, state),
            execution=self.trainings[-1],
            say=_say_nothing,
        )

    def score(self, frame: pd.DataFrame, version: str) -> pd.DataFrame:
        """The frame with the version's probability and answer, columns by log name."""
        store = ModelStore(self.bucket)
        bundle = store.load_bundle(store.find_model(version))
        names = [feature.name for feature in self.contract.features]
        features = pa.Table.from_pandas(frame[names], preserve_index=False)
        probability = Walk(bundle.forest).probabilities(encode(features, self.contract))
        scored = frame.rename(columns=str.lower).assign(probability=probability)
        return scored.assign(threshold=bundle.threshold, predicted=probability >= bundle.threshold)

    def log(self, frame: pd.DataFrame, version: str, day: datetime) -> pd.DataFrame:
        """Log a day's predictions as Firehose would; returns them with their ids."""
        scored = self.score(frame, version)
        ids = [f"{version}/{day:%Y%m%d}/{number}" for number in range(len(frame))]
        step = times.DAY_MS // (len(frame) + 1)
        logged = scored.assign(
            prediction_id=ids,
            predicted_at=times.to_millis(day) + step * np.arange(len(frame)),
            model_version=version,
            contract_version=self.contract.version,
            source="api",
            sample_key=[sample_key(text) for text in ids],
            reference=None,
            subject=None,
        )
        columns = prediction_log_columns(self.contract)
        self._put(logged, columns, f"{keys.stream('log', day.date())}{version}.parquet")
        return logged

    def label(self, logged: pd.DataFrame, truth: pd.Series, day: datetime) -> None:
        """The labels of some predictions arrive on a day."""
        at = times.to_millis(day)
        labels = pd.DataFrame(
            {
                "prediction_id": logged["prediction_id"],
                "reference": None,
                "label": truth.astype(bool),
                "observed_at": at,
                "received_at": at,
            }
        )
        self._put(labels, LABEL_COLUMNS, f"{keys.stream('labels', day.date())}a.parquet")

    def _put(self, frame: pd.DataFrame, columns: Mapping[str, str], key: str) -> None:
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
        buffer = io.BytesIO()
        pq.write_table(
            pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False), buffer
        )
        self.bucket.put(key, buffer.getvalue())

    def check_drift(self, day: datetime, *, now: datetime, days: int = 1) -> list[Summary]:
        """A scheduled run over the days that end with `day`."""
        end = day + times.DAY
        return monitor(
            request=DriftRequest(
                window=Window(end - days * times.DAY, end),
                scheduled=True,
                mail=False,
                look_back=days > 1,
            ),
            now=now,
            stores=Stores(models=self.bucket, predictions=self.bucket, reports=self.bucket),
            notifier=self.notifier,
            minimum_rows=300,
            sample_rows=100_000,
            owner=f"{day:%Y%m%d}",
        )

    def decide(self, transition: Transition, runs: list[Summary], *, labels_at: int) -> Decision:
        """The retrain guard's rules; `labels_at`: when the newest matured labels came (ms)."""
        trained = times.to_millis(DAY) - 30 * times.DAY_MS
        situation = Situation(
            last_training=self.trainings[-1],
            is_training=False,
            last_training_at=trained,
            seen_until=trained,
            newest_data_at=trained - 1,
            newest_label_at=labels_at,
        )
        detected = DetectedDrift(transition, tuple(run.run_id for run in runs))
        return decide(detected, situation, now=labels_at + times.DAY_MS, rules=RULES)

    def find_f1(self, frame: pd.DataFrame, version: str) -> float:
        """F1 of a version on rows with their true outcomes."""
        predicted = self.score(frame, version)["predicted"].to_numpy()
        truth = frame[self.contract.target].to_numpy() == 1
        return float(2 * np.count_nonzero(predicted & truth) / (predicted.sum() + truth.sum()))


class Silent:
    """Stands for SES, SNS and EventBridge; everything is accepted."""

    def send_email(self, **_: Any) -> dict[str, str]:
        """A mail."""
        return {"MessageId": "1"}

    def publish(self, **_: Any) -> None:
        """A message."""

    def put_events(self, **_: Any) -> dict[str, Any]:
        """Events."""
        return {"FailedEntryCount": 0}


def make_notifier(client: Any) -> Notifier:
    """A notifier whose three channels are one client."""
    return Notifier(
        mailer=Mailer(
            client=client,
            sender="from@example.org",
            recipients="to@example.org",
            configuration_set="c",
        ),
        topic=Topic(client, "topic"),
        bus=EventBus(client, "bus"),
        links=Links("https://api.example.org/v1", ReportSecret("s" * 40)),
        stage="dev",
        command="ops",
    )


def measure(seed: int) -> Iterator[Figure]:
    """F1 after the recovery, beside the full truth's, and the seconds from the event on."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        laptop = Laptop(folder=Path(folder), aws_port=free_port(), mlflow_port=free_port())
        emulator.start(laptop, os.environ)
        os.environ.update(laptop.aws_env())
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        try:
            yield from _measure(Path(folder), seed)
        finally:
            emulator.stop(laptop)


def _make_loop(folder: Path, name: str, seed: int) -> Loop:
    client = aws.client("s3", timeout_seconds=60)
    client.create_bucket(Bucket=name)
    # A local file store: what is measured here is the loop, not the tracking server.
    tracking = Tracking(f"sqlite:///{folder}/mlflow-{name}.db", "benchmark")
    tracking.client.create_experiment(tracking.model_name, f"{folder}/artifacts-{name}")
    return Loop(
        contract=Contract.parse((ROOT / "contract.toml").read_text()),
        bucket=Bucket(client, name),
        tracking=tracking,
        notifier=make_notifier(Silent()),
        limits=GateLimits(),
        trials=TRIALS,
        seed=seed,
    )


def _measure(folder: Path, seed: int) -> Iterator[Figure]:
    loop = _make_loop(folder, "recovery", seed)
    target = loop.contract.target
    rows = pd.read_csv(os.environ["DIABETES_CSV"]).sample(frac=1, random_state=seed)
    old, new = rows[:UPLOADED], relabel(rows[UPLOADED : UPLOADED + LOGGED], target)
    unseen = relabel(rows[UPLOADED + LOGGED :], target)
    loop.upload(old)
    first = loop.promote(loop.train())
    yield Figure("F1 on new data before the recovery", loop.find_f1(unseen, first.version), "")
    logged = loop.log(new, first.version, DAY)
    chosen = choose_labelled(
        logged.assign(gender=new["gender"].to_numpy()), LABELLED, np.random.default_rng(seed)
    )
    arrived = DAY + 10 * times.DAY
    loop.label(logged[chosen], new[target][chosen], arrived)

    began = time.perf_counter()
    runs = loop.check_drift(DAY, now=arrived + times.DAY)
    decision = loop.decide(Transition.OPEN, runs, labels_at=times.to_millis(arrived))
    if not (decision.start and any(run.dropped for run in runs)):
        raise SystemExit("The fall was not found, or no training was started.")
    evaluated = loop.train(until=times.to_millis(arrived), name=decision.execution)
    promoted = loop.promote(evaluated)
    seconds = time.perf_counter() - began
    # Where the gate keeps the champion, the challenger is promoted here as an operator would.
    yield Figure("the gate promotes it", float(evaluated.promote), "", ">= 1")
    if not evaluated.promote:
        print(" ".join(evaluated.reasons))
    yield Figure("labels", float(np.count_nonzero(chosen)), "")
    yield Figure("from the event to the promoted champion", seconds, "s", "<= 180")
    recovered = loop.find_f1(unseen, promoted.version)
    yield Figure("F1 on new data after the recovery", recovered, "")

    truth = _make_loop(folder, "truth", seed)
    truth.upload(pd.concat([relabel(old, target), new]))
    full = truth.find_f1(unseen, truth.promote(truth.train()).version)
    yield Figure("F1 on new data of a model of the full truth", full, "")
    yield Figure("the difference", full - recovered, "", "<= 0.01")


def _say_nothing(_: str) -> None:
    """Progress that nobody reads."""


if __name__ == "__main__":
    main("learning.recovery", measure)
