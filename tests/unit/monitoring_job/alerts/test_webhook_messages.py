"""A webhook gets what the mail and the topic say, where the stage has one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.webhook.webhook import Webhook
from domain import keys
from domain.drift.alert_state import CHANNELS, AlertState
from domain.drift.drift import Outcome
from domain.webhook import WebhookSecret
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.alerts.notifier import Notifier
from tests.unit.fakes import FakeS3
from tests.unit.monitoring import Channels, drift_summary
from tests.unit.receiver import KEY, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _notifier(channels: Channels, receiver: Receiver) -> Notifier:
    webhook = Webhook(
        format="json",
        read_secret=lambda: WebhookSecret(key=KEY, url=receiver.url),
        allow_private=True,
        pauses=(),
    )
    return replace(channels.notifier(), webhook=webhook)


def _alerting(s3: FakeS3, notifier: Notifier) -> Alerting:
    return Alerting(reports=s3.bucket(), notifier=notifier, target="diabetes", clock=lambda: 10**13)


def _state(s3: FakeS3) -> AlertState:
    return AlertState.from_json(s3.objects[keys.ALERT_STATE])


def test_it_says_what_the_mail_says_and_holds_what_the_topic_holds(receiver: Receiver) -> None:
    s3, channels = FakeS3(), Channels()
    run = publishing.publish_run(s3.bucket(), drift_summary(Outcome.DATA_DRIFT, "age"), {})
    (told,) = _alerting(s3, _notifier(channels, receiver)).handle_scheduled([run])
    document = receiver.accepted[0].document
    assert channels.subjects == [document["title"]]
    text = channels.mails[0]["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert document["facts"][0] in text
    assert [fact for fact in document["facts"] if fact.startswith("age:")]
    assert [] == [link["url"] for link in document["links"] if link["url"] not in text]
    assert document["data"]["runs"][0]["run_id"] == run.run_id
    assert ("DriftDetected", "sent", ()) == (document["type"], told.mail, told.problems)
    assert () == _state(s3).pending


def test_what_the_receiver_refused_is_pending_for_the_webhook_alone(receiver: Receiver) -> None:
    s3, channels = FakeS3(), Channels()
    run = publishing.publish_run(s3.bucket(), drift_summary(Outcome.DATA_DRIFT, "age"), {})
    receiver.behave = lambda: "refuse"
    (told,) = _alerting(s3, _notifier(channels, receiver)).handle_scheduled([run])
    assert ("The webhook did not take the message: status 500.",) == told.problems
    assert [("webhook",)] == [pending.channels for pending in _state(s3).pending]
    receiver.behave = lambda: "ok"
    quiet = publishing.publish_run(s3.bucket(), drift_summary(Outcome.NO_DATA, day=1), {})
    _alerting(s3, _notifier(channels, receiver)).handle_scheduled([quiet])
    assert (1, 1) == (len(receiver.accepted), len(channels.mails))
    assert () == _state(s3).pending


def test_runs_on_demand_are_messages_of_their_own(receiver: Receiver) -> None:
    alerting = _alerting(FakeS3(), _notifier(Channels(), receiver))
    run = drift_summary(Outcome.DATA_DRIFT, "age")
    for computed_at in (1, 1, 2):
        alerting.handle_on_demand([replace(run, computed_at=computed_at)], mail=True)
    first, again, later = (received.document["id"] for received in receiver.accepted)
    assert first == again != later


def test_a_stage_without_a_webhook_never_has_one_pending() -> None:
    s3, channels = FakeS3(), Channels()
    channels.refuse("mail")
    channels.refuse("topic")
    run = publishing.publish_run(s3.bucket(), drift_summary(Outcome.DATA_DRIFT, "age"), {})
    _alerting(s3, channels.notifier()).handle_scheduled([run])
    assert [("topic", "mail")] == [pending.channels for pending in _state(s3).pending]


def test_what_was_pending_for_a_webhook_that_is_gone_is_dropped(receiver: Receiver) -> None:
    s3, channels = FakeS3(), Channels()
    receiver.behave = lambda: "refuse"
    run = publishing.publish_run(s3.bucket(), drift_summary(Outcome.DATA_DRIFT, "age"), {})
    _alerting(s3, _notifier(channels, receiver)).handle_scheduled([run])
    quiet = publishing.publish_run(s3.bucket(), drift_summary(Outcome.NO_DATA, day=1), {})
    _alerting(s3, channels.notifier()).handle_scheduled([quiet])
    assert () == _state(s3).pending


def test_the_channels_of_a_stage_with_a_webhook_are_all(receiver: Receiver) -> None:
    assert CHANNELS == _notifier(Channels(), receiver).channels
