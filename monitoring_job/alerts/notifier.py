"""Notify people and machines about a window: by mail, topic and event."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws import error_code
from adapters.events import EventBus, EventRefused
from adapters.mail import Mailer, MailRefused
from adapters.topic import Topic
from domain.drift.alert_state import CHANNELS, Channel
from domain.drift.incident import Transition
from domain.drift.summary import Summary
from domain.events import DetailType
from monitoring_job.alerts.facts import Facts, RunFacts
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.mails import Section, compose


@dataclass(frozen=True, slots=True)
class Delivery:
    """The channels that refused a notification, each with a sentence."""

    refused: Mapping[Channel, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The three channels. One that fails does not keep the others from being tried.

    `stage`: of the deployment, for the subject.
    """

    mailer: Mailer
    topic: Topic
    bus: EventBus
    links: Links
    stage: str

    def announce(
        self,
        *,
        target: str,
        transition: Transition,
        summaries: Sequence[Summary],
        channels: Sequence[Channel] = CHANNELS,
    ) -> Delivery:
        """Notify about the runs of one window; `Transition.NONE` stands for runs on demand."""
        ordered = sorted(summaries, key=lambda s: s.outcome.severity, reverse=True)
        sections = [
            Section(summary, self._make_links(summary), self.links.dashboard(summary.run_id))
            for summary in ordered
        ]
        message = compose(target=target, stage=self.stage, transition=transition, sections=sections)
        facts = Facts(transition, tuple(map(RunFacts.of, sections)))
        recovered = transition is Transition.RECOVER
        event: DetailType = "DriftRecovered" if recovered else "DriftDetected"
        senders: dict[Channel, tuple[str, Callable[[], object]]] = {
            # Whoever has a link can open the report, so the bus does not get them.
            "event": (
                f"The event {event} was not published ({{}}).",
                partial(self.bus.publish, event, facts.to_detail()),
            ),
            "topic": (
                "The alert topic accepted no message ({}).",
                partial(self.topic.publish, subject=message.subject, message=facts.to_message()),
            ),
            "mail": (
                "The mail was not sent: SES answered {}.",
                partial(self.mailer.send, message),
            ),
        }
        refused: dict[Channel, str] = {}
        for channel in channels:
            sentence, send = senders[channel]
            try:
                send()
            except (EventRefused, MailRefused, ClientError, BotoCoreError) as error:
                refused[channel] = sentence.format(_name_error(error))
        return Delivery(refused)

    def _make_links(self, summary: Summary) -> dict[str, str]:
        return {name: self.links.report(summary.run_id, name) for name in summary.reports}


def _name_error(error: Exception) -> str:
    """The error's code, and never its message, which may name addresses."""
    if isinstance(error, ClientError):
        return error_code(error) or "unknown"
    return str(error) if isinstance(error, EventRefused | MailRefused) else type(error).__name__
