"""What tests of the drift job share: a model with its reference, a log, and recorded channels."""

import io
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from adapters.events import EventBus, EventRefused
from adapters.mail import Mailer
from adapters.s3 import Bucket
from adapters.topic import Topic
from domain import keys, times
from domain.api.report_token import ReportSecret
from domain.contract.contract import Contract
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.contract.records import prediction_log_columns, sample_key
from domain.drift.alert_state import Channel
from domain.drift.drift import Outcome
from domain.drift.drift_request import DriftRequest
from domain.drift.summary import ColumnDrift, Profile, Summary, Test, run_id
from domain.drift.window import Window
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.model.scorer import Forest
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores, monitor
from tabular.log_queries import LogQueries
from tests.unit.patients import patients

DAY = datetime(2026, 1, 31, tzinfo=UTC)
"""The day whose predictions the tests log."""
NOON = times.to_millis(DAY) + 12 * 3_600_000
SECRET = ReportSecret("s" * 40)
_ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}


def scored(rows: int, *, seed: int) -> pd.DataFrame:
    """Patients under their log columns, with probability and decision of an imaginary model."""
    frame = patients(rows, seed=seed).rename(columns=str.lower)
    margin = 2.5 * (frame["hba1c_level"] - 6.4) + 0.03 * (frame["blood_glucose_level"] - 170)
    frame["probability"] = 1 / (1 + np.exp(-margin - 0.03 * (frame["age"] - 50) + 1.0))
    frame["predicted"] = frame["probability"] >= 0.5
    frame["label"] = frame.pop("diabetes").astype(bool)
    return frame


def publish_model(
    models: Bucket, contract: Contract, *, number: int = 1, reference: pd.DataFrame | None = None
) -> str:
    """A version with bundle, reference (drawn from seed 1) and the champion pointer on it."""
    leaf = Forest(0.0, (0,), (-1,), (float(number),), (0,), (0,), (1,), (1.0,))
    data = Bundle(contract, leaf, 0.5).to_bytes()
    model = ModelRef.of(number, digest(data))
    models.put(model.bundle_key, data)
    frame = scored(5_000, seed=1) if reference is None else reference
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    models.put(keys.reference(model.version), buffer.getvalue())
    stored = models.get(keys.CHAMPION)
    current = Champion.from_json(stored.data) if stored else None
    champion = Champion.successor(current, model, action="promote", execution="e", now=1)
    models.put(keys.CHAMPION, champion.to_json())
    return model.version


def records(frame: pd.DataFrame, contract: Contract, *, version: str, at: int = NOON) -> pa.Table:
    """Scored rows as the log holds them, one each second from `at` (UTC ms) on."""
    ids = [f"{version}/{at}/{position}" for position in range(len(frame))]
    own: dict[str, Any] = {
        "prediction_id": ids,
        "predicted_at": at + 1000 * np.arange(len(frame)),
        "model_version": version,
        "contract_version": contract.version,
        "threshold": 0.5,
        "source": "api",
        "sample_key": [sample_key(text) for text in ids],
    }
    schema = pa.schema(
        [(name, _ARROW[kind]) for name, kind in prediction_log_columns(contract).items()]
    )
    nothing = pd.DataFrame({"reference": None, "subject": None}, index=range(len(frame)))
    whole = nothing.assign(**frame.reset_index(drop=True)).assign(**own)
    return pa.Table.from_pandas(whole[schema.names], schema=schema, preserve_index=False)


def log(bucket: Bucket, table: pa.Table, *, name: str = "a", day: datetime = DAY) -> None:
    """Put a table into a day's partition as Firehose would."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    bucket.put(f"{keys.stream('log', day.date())}{name}.parquet", buffer.getvalue())


@dataclass
class Channels:
    """Fakes of SES, SNS and EventBridge that record what they took, or refuse."""

    mails: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    failing: dict[Channel, BaseException] = field(default_factory=dict)

    def refuse(self, channel: Channel, code: str = "MessageRejected") -> None:
        """From now on the service behind it answers with this error."""
        error = {"Error": {"Code": code, "Message": "to@example.org isn't verified"}}
        self.failing[channel] = ClientError(error, "Send")  # type: ignore[arg-type]  # only what is read

    def send_email(self, **mail: Any) -> dict[str, str]:
        self._fail("mail")
        self.mails.append(mail)
        return {"MessageId": "1"}

    def publish(self, **message: Any) -> None:
        self._fail("topic")
        self.messages.append(message)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if isinstance(self.failing.get("event"), EventRefused):
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        self._fail("event")
        self.events += Entries
        return {"FailedEntryCount": 0}

    def _fail(self, channel: Channel) -> None:
        if channel in self.failing:
            raise self.failing[channel]

    @property
    def subjects(self) -> list[str]:
        """Of the mails that were taken."""
        return [mail["Content"]["Simple"]["Subject"]["Data"] for mail in self.mails]

    def notifier(self) -> Notifier:
        """A notifier that talks to these."""
        client: Any = self
        return Notifier(
            mailer=Mailer(
                client=client,
                sender="from@example.org",
                recipients="to@example.org",
                configuration_set="c",
            ),
            topic=Topic(client, "arn"),
            bus=EventBus(client, "bus"),
            links=Links("https://api.example.org/v1", SECRET),
            stage="dev",
            command="ops",
        )


@dataclass
class World:
    """A deployment in one bucket: the three stores' keys don't clash."""

    bucket: Bucket
    contract: Contract
    channels: Channels = field(default_factory=Channels)
    queries: LogQueries | None = None

    @property
    def stores(self) -> Stores:
        """All in one."""
        return Stores(
            models=self.bucket,
            predictions=self.bucket,
            reports=self.bucket,
            queries=self.queries,
        )

    def run(
        self,
        *,
        day: datetime = DAY,
        scheduled: bool = False,
        mail: bool = False,
        now: datetime | None = None,
        days: int = 1,
        context: DeployedContext = NO_CONTEXT,
    ) -> list[Summary]:
        """A drift run over a day, or the scheduled look back over the days up to it."""
        end = day + times.DAY
        return monitor(
            request=DriftRequest(
                window=Window(end - days * times.DAY, end),
                scheduled=scheduled,
                mail=mail,
                look_back=days > 1,
            ),
            now=now or day + 2 * times.DAY,
            stores=self.stores,
            notifier=self.channels.notifier(),
            minimum_rows=300,
            sample_rows=100_000,
            owner=str(uuid.uuid4()),
            context=context,
        )


VERSION = "1-0a1b2c3d"
PROFILE = Profile(rows=1_000, missing=0.0, invalid=0.0, mean=41.0, deviation=3.0)
DRIFTED = Test(
    aspect="values",
    method="wasserstein",
    rows=1_000,
    effect=0.3,
    p_value=0.0,
    q_value=0.0,
    drifted=True,
)


def drift_summary(outcome: Outcome, *columns: str, day: int = 0, version: str = VERSION) -> Summary:
    """A day's run that found `columns` drifted, `day` days after DAY."""
    start = times.to_millis(DAY + timedelta(days=day))
    end = start + 86_400_000
    return Summary(
        run_id=str(run_id(start=start, end=end, version=version)),
        version=version,
        start=start,
        end=end,
        computed_at=end,
        scheduled=True,
        outcome=outcome,
        findings=(outcome,) if outcome.is_drift else (),
        columns=tuple(
            ColumnDrift(
                name=column,
                column=column,
                kind="number",
                reference=PROFILE,
                current=PROFILE,
                tests=(DRIFTED,),
            )
            for column in columns
        ),
        reports=("data_drift",),
    )
