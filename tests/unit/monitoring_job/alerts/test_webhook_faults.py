"""Many faults of a webhook's receiver, and runs that are killed: no notification is lost, and
a crash causes one duplicate at most.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from adapters.webhook.notification import Notification
from adapters.webhook.webhook import Webhook
from domain import keys
from domain.drift.alert_state import CLAIM_MS, MAXIMUM_PENDING, AlertState
from domain.drift.drift import Outcome
from domain.drift.summary import Summary
from domain.webhook import WebhookSecret
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from tests.unit.fakes import FakeS3
from tests.unit.monitoring import Channels, drift_summary
from tests.unit.receiver import FAULTS, KEY, Behaviour, Receiver, receiving

SECONDS = 0.03
CRASHES = 0.1
"""The share of deliveries during which the run is killed."""


class Killed(BaseException):
    """The process ends."""


@dataclass
class Fragile:
    """A webhook whose process is sometimes killed, before it sends or after."""

    webhook: Webhook
    rng: random.Random
    sent: Counter[str]
    killed: Counter[str]

    def send(self, notification: Notification) -> None:
        if self.rng.random() < CRASHES:
            raise Killed
        self.webhook.send(notification)
        self.sent[notification.id] += 1
        if self.rng.random() < CRASHES:
            self.killed[notification.id] += 1
            raise Killed


@dataclass
class World:
    """A deployment whose webhook leads to the receiver."""

    receiver: Receiver
    rng: random.Random
    s3: FakeS3 = field(default_factory=FakeS3)
    channels: Channels = field(default_factory=Channels)
    faults: Counter[Behaviour] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    now: int = 10**12
    runs: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.receiver.behave = self._misbehave

    def _misbehave(self) -> Behaviour:
        if self.rng.random() < 0.2:
            return "ok"
        chosen = self.rng.choice(FAULTS)
        self.faults[chosen] += 1
        return chosen

    def run(self, summary: Summary) -> None:
        """One scheduled run, which may be killed. Its successor comes when its claims are old."""
        bucket = self.s3.bucket()
        self.now += CLAIM_MS + 1
        sender = Webhook(
            format="json",
            read_secret=lambda: WebhookSecret(key=KEY, url=self.receiver.url),
            allow_private=True,
            seconds=SECONDS,
            pauses=(),
        )
        webhook: Any = Fragile(sender, self.rng, self.sent, self.killed)
        alerting = Alerting(
            reports=bucket,
            notifier=replace(self.channels.notifier(), webhook=webhook),
            target="diabetes",
            owner=str(next(self.runs)),
            clock=lambda: self.now,
        )
        with suppress(Killed):
            alerting.handle_scheduled([publishing.publish_run(bucket, summary, {})])

    @property
    def pending(self) -> int:
        """How many announcements wait."""
        stored = self.s3.bucket().get(keys.ALERT_STATE)
        return len(AlertState.from_json(stored.data).pending) if stored else 0


@pytest.mark.parametrize("enough", [150, pytest.param(1_000, marks=pytest.mark.slow)])
def test_faults_lose_no_notification_and_a_crash_repeats_one_at_most(enough: int) -> None:
    with receiving() as receiver:
        world = World(receiver, random.Random(1))
        announced, day = 0, 0
        while world.faults.total() < enough or world.pending:
            more = world.faults.total() < enough and world.pending < MAXIMUM_PENDING - 2
            # Three windows: drift opens an incident, two quiet days close it. Each is announced.
            outcome = (Outcome.DATA_DRIFT, Outcome.STABLE, Outcome.STABLE)[day % 3]
            if more or day % 3:
                before = world.pending
                columns = ("age",) if outcome.is_drift else ()
                world.run(drift_summary(outcome, *columns, day=day))
                announced += outcome.is_drift + (day % 3 == 2)
                day += 1
                assert world.pending <= before + 1
            else:
                world.run(drift_summary(Outcome.NO_DATA, day=day))
        assert set(FAULTS) == set(world.faults)
        assert announced == len({received.document["id"] for received in receiver.accepted})
        # A run that was killed after it had sent did not note it, and its successor sent again.
        assert world.killed.total() > 0
        assert {i: 1 + world.killed[i] for i in world.sent} == world.sent
        assert announced == len(set(world.channels.subjects)), "the mails are as always"
