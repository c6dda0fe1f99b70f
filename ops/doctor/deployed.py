"""Checks of what is deployed, on a laptop as in an account."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import LABEL_COLUMNS, prediction_log_columns
from domain.deployment import Deployment
from domain.drift.alert_state import AlertState
from domain.drift.run_index import RunIndex
from domain.errors import BadBundle, BadRecord
from domain.model.champion import Champion
from domain.model.consistency import Consistency
from domain.plural import agree, write_count
from ops.api import Api, describe_problem
from ops.doctor.finding import Check, Finding, note, ok, problem
from ops.errors import OpsError
from ops.laptop import ROOT
from ops.target import Target, propose_first_model

COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
CACHE_SECONDS = 90
"""A promotion reaches every warm predictor in this time."""


def find_deployment(target: Target) -> Deployment | None:
    """The outputs of the stacks if all are there; `check_stacks` says what is missing."""
    try:
        return target.read_deployment()
    except OpsError:
        return None


def check_stacks(target: Target) -> Iterator[Finding]:
    """Whether every stack is there, and whether its last deployment went through."""
    client = target.client("cloudformation")
    statuses = {name: _status(client, name) for name in map(target.names.stack, target.parts)}
    missing = [name for name, status in statuses.items() if status is None]
    if len(missing) == len(statuses):
        yield note(target.nothing_deployed, target.deploy_command)
        return
    if missing:
        yield problem(f"Stacks are missing: {', '.join(missing)}.", target.deploy_command)
    for name, status in statuses.items():
        if status is None or status in COMPLETE:
            continue
        if status.endswith("_IN_PROGRESS"):
            yield note(f"Stack {name} is changing: {status}.", "Run the command again later.")
        elif status == "ROLLBACK_COMPLETE":
            yield problem(
                f"Stack {name} was never created ({status}), and can't be updated.",
                f"Delete it with aws cloudformation delete-stack --stack-name {name}, then "
                f"{target.deploy_command}",
            )
        else:
            yield problem(
                f"The last change of stack {name} failed ({status}).",
                "Read its events: aws cloudformation describe-stack-events --stack-name "
                f"{name}; then {target.deploy_command}",
            )
    if not missing and set(statuses.values()) <= COMPLETE:
        yield ok(f"All {len(statuses)} stacks are complete.")


def _status(client: Any, name: str) -> str | None:
    from botocore.exceptions import ClientError

    from adapters.aws import error_code

    try:
        return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error_code(error) == "ValidationError":
            return None
        raise


def check_champion(target: Target) -> Iterator[Finding]:
    """Whether a model serves, can be loaded, and is the one that the API answers with."""
    champion = target.champion()
    if champion is None:
        yield note("No model serves yet.", propose_first_model(target))
        return
    try:
        target.models.load_bundle(champion.model)
    except BadBundle as error:
        yield problem(f"Champion {champion.version}: {error}", "python -m ops rollback")
        return
    yield from _ask_api(target, champion)
    found = target.bucket("models").read(keys.CHECK, Consistency.from_json)
    if found is not None and found.problems:
        yield problem(
            f"The last check of champion, ledger and registry found: {'; '.join(found.problems)}",
            "python -m ops status --check",
        )


def _ask_api(target: Target, champion: Champion) -> Iterator[Finding]:
    api = Api(target.deployment.api_url, target.api_key(), attempts=3)
    status, body = api.get("/health")
    served = body.get("version") if isinstance(body, dict) else None
    age = datetime.now(UTC) - times.from_millis(champion.promoted_at)
    if status != 200:
        yield problem(
            f"The API answers {describe_problem(status, body)}.",
            "Read the log of the predictor function.",
        )
    elif served == champion.version:
        yield ok(f"The API serves champion {served}.")
    elif age < timedelta(seconds=CACHE_SECONDS):
        yield note(
            f"The API still serves {served}; {champion.version} was promoted {age.seconds} s ago.",
            "Run the command again in a minute.",
        )
    else:
        yield problem(
            f"The API serves {served}, though the champion is {champion.version}.",
            "Read the log of the predictor function.",
        )


def check_tables(target: Target) -> Iterator[Finding]:
    """Whether the tables have a column for everything that the predictor logs."""
    contract, owner = _served_contract(target)
    wanted = {
        "prediction_log": prediction_log_columns(contract),
        "labels": dict(LABEL_COLUMNS),
    }
    client, database = target.client("glue"), target.deployment.database
    fit = True
    for log, columns in wanted.items():
        for table in (log, f"{log}_fallback"):
            answer = client.get_table(DatabaseName=database, Name=table)
            listed = answer["Table"]["StorageDescriptor"]["Columns"]
            there = {column["Name"]: column["Type"] for column in listed}
            wrong = [
                f"{name} ({kind})" for name, kind in columns.items() if there.get(name) != kind
            ]
            if wrong:
                fit = False
                yield problem(
                    f"Table {table} doesn't fit {owner}; missing or of another type: "
                    f"{', '.join(wrong)}.",
                    target.deploy_command,
                )
    if fit:
        yield ok(f"The tables fit {owner}.")


def _served_contract(target: Target) -> tuple[Contract, str]:
    """The champion's contract, or the checkout's before the first promotion."""
    try:
        champion = target.models.read_champion()
        if champion is not None:
            contract = target.models.load_bundle(champion.model).contract
            return contract, f"the contract of champion {champion.version}"
    except (BadRecord, BadBundle):
        pass  # the check of the champion tells
    return Contract.parse((ROOT / "contract.toml").read_text(encoding="utf-8")), "contract.toml"


def check_streams(target: Target) -> Iterator[Finding]:
    """Whether the two logs take records, and whether any went to the fallback or were rejected."""
    client = target.client("firehose")
    names = target.resources.names("AWS::KinesisFirehose::DeliveryStream")
    fine = bool(names)
    if not names:
        yield problem("There is no stream for predictions and labels.", target.deploy_command)
    for name in names:
        described = client.describe_delivery_stream(DeliveryStreamName=name)
        status = described["DeliveryStreamDescription"]["DeliveryStreamStatus"]
        if status != "ACTIVE":
            fine = False
            yield problem(
                f"Stream {name} is {status}, so its records go to the fallback.",
                f"Read why: aws firehose describe-delivery-stream --delivery-stream-name {name}",
            )
    if fine:
        yield ok(f"{len(names)} streams take records.")
    bucket, today = target.bucket("predictions"), datetime.now(UTC).date()
    for log in ("log", "labels"):
        recent = [f"{keys.FALLBACK}{log}/dt={today - n * times.DAY}/" for n in (0, 1)]
        if any(True for prefix in recent for _ in bucket.list(prefix)):
            yield note(
                f"Records of {log}/ went to the fallback since yesterday; they are read with it.",
                "Look at the alarms and at the stream's log.",
            )
        if next(iter(bucket.list(keys.rejected(log))), None) is not None:
            yield problem(
                f"Records of {log}/ didn't fit their table and lie under {keys.rejected(log)}.",
                "docs/api.md says how to get them back.",
            )


def check_drift_runs(target: Target) -> Iterator[Finding]:
    """How the latest run ended, and whether its mail was sent; an alarm watches the schedule."""
    index = target.bucket("reports").read(keys.RUN_INDEX, RunIndex.from_json) or RunIndex()
    if not index.entries:
        yield note("There was no drift run yet.", "python -m ops drift")
        return
    latest = max(index.entries, key=lambda run: run.computed_at)
    when = times.from_millis(latest.computed_at).strftime("%Y-%m-%d %H:%M UTC")
    if latest.mail == "failed":
        yield problem(
            f"The mail of drift run {latest.run_id} was refused.",
            "Verify sender and recipient in SES, then python -m ops drift --mail",
        )
    else:
        yield ok(f"The last drift run was at {when}: {latest.outcome}.")


def check_notifications(target: Target) -> Iterator[Finding]:
    """Whether a channel has not accepted what people should have been told."""
    from adapters.secrets import webhook_secret

    state = target.bucket("reports").read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
    pending = state.pending
    channels = list(dict.fromkeys(name for waiting in pending for name in waiting.channels))
    if channels:
        advice = "python -m ops webhook test" if "webhook" in channels else "docs/aws.md, Mail"
        yield problem(
            f"{write_count(len(pending), 'notification')} {agree(len(pending), 'is', 'are')} "
            f"pending: refused by {' and '.join(channels)}.",
            f"The next scheduled drift run tries again. To see what is wrong: {advice}",
        )
    else:
        yield ok("No notification is pending.")
    arn = target.deployment.webhook_secret
    if arn and not webhook_secret(target.client("secretsmanager"), arn).url:
        yield problem("The webhook has no URL.", "python -m ops webhook set")


def check_failures(target: Target) -> Iterator[Finding]:
    """Whether events never reached their target, and whether anybody gets the failure mails."""
    waiting = target.count_dead_letters()
    if waiting:
        yield problem(
            f"{write_count(waiting, 'event')} never reached "
            f"{agree(waiting, 'its', 'their')} target.",
            f"Read them: aws sqs receive-message --queue-url {target.deployment.dead_letters}",
        )
    topics = target.client("sns")
    for topic in target.resources.names("AWS::SNS::Topic"):
        listed = topics.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        pending = [s["Endpoint"] for s in listed if s["SubscriptionArn"] == "PendingConfirmation"]
        if pending:
            yield problem(
                f"{', '.join(pending)} has not confirmed the operations topic, so nobody reads of "
                "failures.",
                "Click the link in the mail with the subject AWS Notification.",
            )
        elif not listed:
            yield problem(
                "Nobody subscribes to the operations topic, so nobody reads of failures.",
                f"aws sns subscribe --topic-arn {topic} --protocol email "
                "--notification-endpoint ADDRESS",
            )
        elif not waiting:
            yield ok("No failed event waits, and failures are mailed.")


def check_alarms(target: Target) -> Iterator[Finding]:
    """Which alarms are raised; each alarm's description says what to do."""
    names = target.resources.names("AWS::CloudWatch::Alarm")
    client = target.client("cloudwatch")
    raised = False
    for first in range(0, len(names), 100):  # the most that one call takes
        answer = client.describe_alarms(AlarmNames=names[first : first + 100])
        for alarm in answer["MetricAlarms"]:
            if alarm["StateValue"] == "ALARM":
                raised = True
                sentence, _, advice = alarm["AlarmDescription"].partition(": ")
                yield problem(
                    f"Alarm {alarm['AlarmName']}: {sentence.rstrip('.')}.",
                    advice or "Read docs/monitoring.md.",
                )
    if names and not raised:
        yield ok(f"None of {len(names)} alarms is raised.")


CHECKS = (
    Check("champion", check_champion),
    Check("tables", check_tables),
    Check("streams", check_streams),
    Check("drift runs", check_drift_runs),
    Check("notifications", check_notifications),
    Check("failures", check_failures),
    Check("alarms", check_alarms),
)
"""What is asked of a complete deployment, after its stacks."""
