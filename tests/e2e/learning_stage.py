"""A deployed stage that learns from its own production, and the people who are scored there.

Its settings are those of a stage, except that the retrain guard pauses for no hour and that the
predictor looks for a new champion at every request: both are environment variables of functions.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain import keys
from domain.drift.retraining import Decision
from domain.events import SOURCE
from domain.model.champion import LedgerEntry
from domain.model.probation import Probation
from ops import executions
from ops.api import Api
from ops.commands.machine import mail
from ops.commands.models import ledger
from ops.commands.monitoring.drift import run_drift
from ops.local.processes import wait_until
from ops.target import Target
from tests.e2e.conftest import brought_up, ops
from tests.repository import CONTRACT_TOML
from tests.unit.patients import csv, patients

SETTINGS = {
    "retraining": "auto",
    "retraining_monthly_limit": 20,
    "probation": "auto",
    "training": {"trials": 3, "label_maturity_days": 0},
}
GATE = """
[gate]  # the samples are small
minimum_f1 = 0.3
maximum_calibration_error = 0.5
segment_margin = 0.2
"""
UPLOADED = 3_000
BATCH = 500
PATIENCE_SECONDS = 600
DAY = timedelta(days=1)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scored:
    """People who were scored between two times. `answers`: who was called positive."""

    people: pd.DataFrame
    ids: list[str]
    answers: Mask
    start: datetime
    end: datetime


def people(rows: int, *, seed: int, changed: bool) -> pd.DataFrame:
    """Made-up people; where `changed`, the outcome is positive for all from 45 years on."""
    frame = patients(rows, seed=seed)
    if changed:
        frame["diabetes"] |= (frame["age"] >= 45).astype(int)
    return frame


@dataclass
class LearningStage:
    """The stage, and what its story needs to do there."""

    target: Target
    api: Api
    ended: datetime = field(default_factory=lambda: datetime.now(UTC))
    """End of the last scheduled window."""
    labels_sent: int = 0

    def run(self, *arguments: str, fails: bool = False) -> dict[str, Any]:
        """An operator's command; its JSON answer."""
        done = ops(self.target.folder, *arguments, "--json")
        assert (done.returncode != 0) == fails, done.stderr + done.stdout
        found: dict[str, Any] = {} if fails else json.loads(done.stdout)
        return found

    def shorten_approval(self, seconds: int) -> None:
        """Let later models wait so long for an answer; a stage can ask for whole hours only."""
        client: Any = self.target.client("stepfunctions")
        arn = self.target.deployment.state_machine_arn
        definition = json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])
        definition["States"]["Approve"]["TimeoutSeconds"] = seconds
        client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def set_variables(self, function: str, **variables: str) -> None:
        """Change environment variables of the functions whose name holds `function`."""
        client: Any = self.target.client("lambda")
        for found in client.list_functions()["Functions"]:
            if function in found["FunctionName"]:
                known = found["Environment"]["Variables"]
                client.update_function_configuration(
                    FunctionName=found["FunctionName"],
                    Environment={"Variables": known | variables},
                )

    def score(self, frame: pd.DataFrame) -> Scored:
        """Ask the API for these people."""
        start, ids, answers = datetime.now(UTC), [], []
        rows = frame.drop(columns="diabetes").to_dict("records")
        for first in range(0, len(rows), BATCH):
            body = {"instances": rows[first : first + BATCH]}
            status, found = self.api.post("/predict", body, idempotency_key=uuid.uuid4().hex)
            assert 200 == status, found
            ids += [prediction["prediction_id"] for prediction in found["predictions"]]
            answers += [prediction["diabetes"] for prediction in found["predictions"]]
        end = datetime.now(UTC) + timedelta(seconds=1)
        return Scored(frame, ids, np.array(answers, bool), start, end)

    def label(self, scored: Scored, chosen: Mask, truth: Mask | None = None) -> None:
        """Send the outcomes of some of them, the true ones unless others are given."""
        outcomes = scored.people["diabetes"].to_numpy() == 1 if truth is None else truth
        labels = [
            {"prediction_id": scored.ids[n], "diabetes": bool(outcomes[n])}
            for n in np.flatnonzero(chosen)
        ]
        for first in range(0, len(labels), BATCH):
            status, found = self.api.post(
                "/labels",
                {"labels": labels[first : first + BATCH]},
                idempotency_key=uuid.uuid4().hex,
            )
            assert 200 == status, found
        self.labels_sent += len(labels)

    def await_stored_labels(self) -> None:
        """Wait until the emulator's stream has stored every label that was sent.

        It writes an object for each record, for minutes after it took them. Meanwhile the labels
        are known from the fallback, and each new object is new data to the retrain guard.
        """
        bucket = self.target.bucket("predictions")
        assert wait_until(
            lambda: len(list(bucket.list("labels/"))) >= self.labels_sent,
            seconds=PATIENCE_SECONDS,
            pause=2.0,
        )

    def check(self, scored: Scored, *, later: timedelta = timedelta()) -> Any:
        """A scheduled drift run over their predictions; `later`: the window's end is moved."""
        self.ended = max(scored.end + later, self.ended + timedelta(seconds=1))
        window = {"start": scored.start.isoformat(), "end": self.ended.isoformat()}
        (found,) = run_drift(self.target, {**window, "scheduled": True})
        return found

    def read_decisions(self) -> list[Decision]:
        """What the retrain guard has decided, the newest last."""
        bucket = self.target.bucket("reports")
        stored = (bucket.get(listed.key) for listed in bucket.list(keys.RETRAINING))
        found = [Decision.from_json(entry.data) for entry in stored if entry]
        return sorted(found, key=lambda decision: decision.decided_at)

    def await_decision(self, earlier: int) -> Decision:
        """The guard's next decision after so many."""
        assert wait_until(lambda: len(self.read_decisions()) > earlier, seconds=PATIENCE_SECONDS)
        return self.read_decisions()[-1]

    def detect(self, run_id: str) -> Decision:
        """Put another detection on the bus, and see what the guard decides."""
        earlier = len(self.read_decisions())
        client: Any = self.target.client("events")
        detail = {"transition": "open", "runs": [{"run_id": run_id}]}
        client.put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": "DriftDetected",
                    "EventBusName": self.target.deployment.event_bus,
                    "Detail": json.dumps(detail),
                }
            ]
        )
        return self.await_decision(earlier)

    def follow(self, decision: Decision) -> executions.Result:
        """The training that a decision started, at its end."""
        assert decision.execution is not None, decision.reason
        arn = self.target.deployment.state_machine_arn.replace(":stateMachine:", ":execution:")
        return executions.follow_quietly(self.target, f"{arn}:{decision.execution}", "train")

    def read_ledger(self) -> list[LedgerEntry]:
        """All entries, the oldest first."""
        return ledger.read_entries(self.target)[0]

    def read_probation(self, seq: int) -> Probation | None:
        """What is known of a promotion."""
        stored = self.target.bucket("reports").get(keys.probation(seq))
        return Probation.from_json(stored.data) if stored else None

    def read_mails(self) -> list[mail.Mail]:
        """All mails, the oldest first."""
        assert self.target.laptop is not None
        return mail.read_mails(self.target.laptop)

    def read_subjects(self) -> list[str]:
        """The subjects of all mails, the oldest first."""
        return [found.subject for found in self.read_mails()]

    def await_mail(self, subject: str) -> mail.Mail:
        """The one mail whose subject starts so."""

        def find() -> list[mail.Mail]:
            return [found for found in self.read_mails() if found.subject.startswith(subject)]

        assert wait_until(lambda: bool(find()), seconds=PATIENCE_SECONDS), self.read_subjects()
        (found,) = find()
        return found

    @property
    def version(self) -> str:
        """What serves."""
        champion = self.target.champion()
        assert champion is not None
        return champion.version


@contextmanager
def learning_stage(folder: Path) -> Iterator[LearningStage]:
    """The stage with its first champion."""
    settings, contract = folder / "settings.json", folder / "contract.toml"
    settings.write_text(json.dumps(SETTINGS))
    contract.write_text(CONTRACT_TOML.read_text() + GATE)
    options = ("--settings", str(settings), "--contract", str(contract))
    with brought_up(folder / "local", {}, *options) as target:
        yield begin(target)


def begin(target: Target) -> LearningStage:
    """Train the first champion, on outcomes as they were."""
    stage = LearningStage(target, Api(target.deployment.api_url, target.api_key()))
    stage.set_variables("RetrainingGuard", COOL_DOWN_HOURS="0")
    stage.set_variables("Predictor", CHAMPION_SECONDS="0")
    content = csv(people(UPLOADED, seed=1, changed=False))
    target.bucket("data").put(f"{keys.RAW}people.csv", content)
    stage.run("train", "--production-days", "0")
    return stage
