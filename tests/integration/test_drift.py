"""The drift function against the emulator: from a log to a mail whose link opens the report."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import (
    PREDICTION_COLUMNS,
    PREDICTION_TABLE,
    PredictionRecord,
    prediction_log_columns,
)
from domain.drift.summary import Summary
from lambdas.drift.handler import handler
from monitoring_job.settings import Settings
from ops.commands.machine import mail
from ops.laptop import ACCOUNT, REGION, Laptop
from stacks.storage.day_table import PARQUET
from tests.browser import chromium
from tests.integration.record_streams import create_stream
from tests.repository import CONTRACT_TOML
from tests.unit.monitoring import DAY, SECRET, log, publish_model, records, scored
from tests.unit.monitoring_job.reports.test_reports import HOSTILE, drifted

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())


@dataclass(frozen=True)
class Stage:
    """The function's surroundings: one bucket, and queues behind topic and bus."""

    laptop: Laptop
    bucket: Bucket
    settings: Settings
    version: str
    sqs: Any
    topic_queue: str
    event_queue: str

    def received(self, queue: str) -> list[dict[str, Any]]:
        """What arrived there, decoded."""
        answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def mails(self) -> list[mail.Mail]:
        """The mails to this stage's recipient."""
        return [m for m in mail.read_mails(self.laptop) if self.settings.mail_to in m.recipients]


def _queue(aws: Callable[[str], Any], name: str) -> tuple[str, str]:
    return (
        aws("sqs").create_queue(QueueName=name)["QueueUrl"],
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
    )


@pytest.fixture
def stage(
    aws: Callable[[str], Any], emulator: Laptop, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    """Everything the function needs, of this test's own."""
    name = f"drift-{uuid.uuid4().hex[:8]}"
    topic_queue, topic_queue_arn = _queue(aws, f"{name}-topic")
    event_queue, event_queue_arn = _queue(aws, f"{name}-event")
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic_queue_arn)
    aws("events").create_event_bus(Name=name)
    aws("events").put_rule(
        Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["mlops.circle"]})
    )
    aws("events").put_targets(
        Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": event_queue_arn}]
    )
    secret = aws("secretsmanager").create_secret(
        Name=name, SecretString=json.dumps({"current": SECRET.current})
    )
    aws("sesv2").create_configuration_set(ConfigurationSetName=name)
    sender, recipient = f"from-{name}@example.org", f"to-{name}@example.org"
    for address in (sender, recipient):
        aws("sesv2").create_email_identity(EmailIdentity=address)
    settings = Settings(
        models_bucket=bucket.name,
        predictions_bucket=bucket.name,
        reports_bucket=bucket.name,
        event_bus=name,
        topic_arn=topic,
        report_secret_arn=secret["ARN"],
        api_url="http://localhost/v1",
        mail_from=sender,
        mail_to=recipient,
        configuration_set=name,
        metrics_namespace="circle-dev",
        stage="dev",
        operator_command="ops",
    )
    for variable, value in settings.to_env().items():
        monkeypatch.setenv(variable, value)
    return Stage(
        laptop=emulator,
        bucket=bucket,
        settings=settings,
        version=publish_model(bucket, CONTRACT),
        sqs=aws("sqs"),
        topic_queue=topic_queue,
        event_queue=event_queue,
    )


def _runs(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Invoke the function; its answer is JSON, so its entries are untyped."""
    answer: Any = handler(event, None)
    runs: list[dict[str, Any]] = answer["runs"]
    return runs


def _older(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(age=frame["age"] + 12)


def test_rows_that_came_through_firehose_are_found(
    aws: Callable[[str], Any], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIMUM_ROWS", "50")
    stream = create_stream(aws, stage.bucket, "log", prediction_log_columns(CONTRACT))
    now = times.to_millis(pd.Timestamp.now("UTC").to_pydatetime())
    table = records(
        scored(60, seed=4).assign(age=79.0), CONTRACT, version=stage.version, at=now - 100_000
    )
    own = [name for name in PREDICTION_COLUMNS if name != "sample_key"]
    batch = []
    for row in table.to_pylist():
        features = {f.column: row[f.column] for f in CONTRACT.features}
        record = PredictionRecord(**{name: row[name] for name in own}, features=features)
        batch.append({"Data": record.to_json()})
    aws("firehose").put_record_batch(DeliveryStreamName=stream, Records=batch)
    [run] = _runs({"last_rows": 60})
    assert ("data_drift", 60, ["age"]) == (run["outcome"], run["rows"], run["drifted"])


def test_a_scheduled_run_mails_and_publishes_what_it_found(stage: Stage) -> None:
    log(stage.bucket, records(_older(scored(1_000, seed=2)), CONTRACT, version=stage.version))
    event = {"time": "2026-02-01T14:00:00Z", "scheduled": True}
    [run] = _runs(event)
    handler(event, None)  # a doubled invocation
    [message] = stage.mails()
    assert "[diabetes dev] Data drift: Age (2026-01-31 UTC)" == message.subject
    assert [] == [link for link in run["reports"].values() if link not in message.text]
    assert ("sent", {"data_drift", "prediction_drift"}) == (run["mail"], set(run["reports"]))
    [notice] = stage.received(stage.topic_queue)
    assert json.loads(notice["Message"])["runs"][0]["run_id"] == run["run_id"]
    [detected] = stage.received(stage.event_queue)
    assert (
        "DriftDetected",
        "data_drift",
    ) == (detected["detail-type"], detected["detail"]["runs"][0]["outcome"])
    stored = stage.bucket.get(keys.summary(keys.RunId.parse(run["run_id"])))
    assert stored is not None
    assert "sent" == Summary.from_json(stored.data).mail


def test_a_quiet_day_mails_nobody(stage: Stage) -> None:
    log(stage.bucket, records(scored(1_000, seed=2), CONTRACT, version=stage.version))
    [run] = _runs({"day": "2026-01-31", "mail": True})
    assert ("stable", "not_needed", []) == (run["outcome"], run["mail"], stage.mails())


def test_a_day_without_predictions_is_a_normal_result(stage: Stage) -> None:
    [run] = _runs({"day": "2026-01-31", "mail": True})
    assert (run["outcome"], run["version"], run["rows"], run["reports"]) == (
        "no_data",
        stage.version,
        0,
        {},
    )
    assert [] == stage.mails()


def test_an_unverified_sender_costs_the_mail_and_not_the_report(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_FROM", "stranger@example.net")
    log(stage.bucket, records(_older(scored(1_000, seed=2)), CONTRACT, version=stage.version))
    [run] = _runs({"day": "2026-01-31", "mail": True})
    assert "failed" == run["mail"]
    assert ["The mail was not sent: SES answered MessageRejected."] == run["problems"]
    assert stage.bucket.get(keys.report(keys.RunId.parse(run["run_id"]), "data_drift"))


@pytest.mark.parametrize("shift", [0, 12])
def test_a_window_read_by_athena_gets_the_verdict_of_the_streamed_one(
    aws: Callable[[str], Any], stage: Stage, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    frame = scored(1_000, seed=2)
    frame = frame.assign(age=frame["age"] + shift)
    log(stage.bucket, records(frame, CONTRACT, version=stage.version))
    [streamed] = _runs({"day": "2026-01-31"})
    name = stage.settings.event_bus.replace("-", "_")
    monkeypatch.setenv("DATABASE", name)
    monkeypatch.setenv("WORKGROUP", name)
    monkeypatch.setenv("ATHENA_ROWS", "999")
    _create_table(aws, stage.bucket, name)
    [queried] = _runs({"day": "2026-01-31"})
    assert (queried, "data_drift" if shift else "stable") == (streamed, queried["outcome"])
    executions = aws("athena").list_query_executions(WorkGroup=name)["QueryExecutionIds"]
    assert 2 <= len(executions)
    answer = aws("athena").batch_get_query_execution(QueryExecutionIds=executions)
    states = {one["Status"]["State"] for one in answer["QueryExecutions"]}
    assert {"SUCCEEDED"} == states


def _create_table(aws: Callable[[str], Any], bucket: Bucket, name: str) -> None:
    """Create the log's table in a database, and a workgroup, all of this name."""
    columns = [
        {"Name": column, "Type": kind} for column, kind in prediction_log_columns(CONTRACT).items()
    ]
    aws("glue").create_database(DatabaseInput={"Name": name})
    aws("glue").create_table(
        DatabaseName=name,
        TableInput={
            "Name": PREDICTION_TABLE,
            "PartitionKeys": [{"Name": "dt", "Type": "string"}],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": f"s3://{bucket.name}/log/",
                "InputFormat": PARQUET.input_format,
                "OutputFormat": PARQUET.output_format,
                "SerdeInfo": {"SerializationLibrary": PARQUET.library},
            },
        },
    )
    results = {"OutputLocation": f"s3://{bucket.name}/athena/"}
    aws("athena").create_work_group(Name=name, Configuration={"ResultConfiguration": results})


def test_an_event_carries_its_request_in_its_detail(stage: Stage) -> None:
    log(stage.bucket, records(scored(10, seed=2), CONTRACT, version=stage.version))
    event = {"detail-type": "DriftRequested", "detail": {"day": DAY.date().isoformat()}}
    [run] = _runs(event)
    assert ("insufficient_data", 10) == (run["outcome"], run["rows"])


def test_the_published_page_draws_itself_in_a_browser_and_reaches_nobody(
    bucket: Bucket,
) -> None:
    _, pages = drifted(CONTRACT)
    key = "runs/x/data_drift.html"
    bucket.put(key, pages["data_drift"].encode(), content_type="text/html; charset=utf-8")
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(bucket.presigned(key, seconds=60))
        page.get_by_text("Dataset Drift", exact=True).wait_for(timeout=30_000)
        assert page.get_by_text("smoking_history").first.is_visible()
        assert "Data drift report, 2026-01-31 UTC" == page.title()
        reached = page.evaluate("fetch('/').then(() => 'yes', () => 'no')")
        assert ("no", []) == (reached, errors)
        ran = page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            " document.body.append(s); return window.ran ?? 0 }"
        )
        assert 0 == ran
        assert 1 == len([url for url in asked if not url.startswith(("data:", "blob:"))])


def test_what_a_category_says_never_reaches_a_published_page(stage: Stage) -> None:
    frame = scored(1_000, seed=2)
    frame.loc[:200, "gender"] = HOSTILE
    log(stage.bucket, records(frame, CONTRACT, version=stage.version))
    [run] = _runs({"day": "2026-01-31"})
    assert ["gender"] == run["drifted"]
    pages = [stage.bucket.get(e.key) for e in stage.bucket.list(f"{keys.RUNS}{run['run_id']}/")]
    assert [] == [page for page in pages if page is None or b"owned" in page.data]
