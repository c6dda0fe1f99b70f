"""Notify people and machines about a window: by mail, topic, event and webhook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws import error_code
from adapters.events import EventBus, EventRefused
from adapters.mail import Mailer, MailRefused
from adapters.topic import Topic
from adapters.webhook.webhook import Webhook, WebhookRefused
from domain.drift.alert_state import CHANNELS, Channel
from domain.drift.incident import Transition
from domain.drift.summary import Summary
from domain.events import DetailType
from monitoring_job.alerts.facts import Facts, RunFacts
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.mails import Section, compose
from monitoring_job.alerts.messages import compose_notification

REFUSALS = (EventRefused, MailRefused, WebhookRefused)
"""Errors whose text can be shown."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The channels that refused a notification, each with a sentence."""

    refused: Mapping[Channel, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The channels. One that fails does not keep the others from being tried.

    `stage`: of the deployment, for the subject. `command`: how an operator calls its command line,
    for what the mail asks to do. `webhook`: None where the stage has none.
    """

    mailer: Mailer
    topic: Topic
    bus: EventBus
    links: Links
    stage: str
    command: str
    webhook: Webhook | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Those that the stage has."""
        return tuple(c for c in CHANNELS if c != "webhook" or self.webhook is not None)

    def announce(
        self,
        *,
        target: str,
        transition: Transition,
        summaries: Sequence[Summary],
        channels: Sequence[Channel] = CHANNELS,
        remarks: Sequence[str] = (),
    ) -> Delivery:
        """Notify about the runs of one window; `Transition.NONE` stands for runs on demand.

        A channel that the stage doesn't have is left out.
        `remarks`: further sentences of the mail.
        """
        ordered = sorted(summaries, key=lambda s: s.outcome.severity, reverse=True)
        sections = [
            Section(summary, self._make_links(summary), self.links.dashboard(summary.run_id))
            for summary in ordered
        ]
        message = compose(
            target=target,
            stage=self.stage,
            command=self.command,
            transition=transition,
            sections=sections,
            remarks=remarks,
        )
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
        if self.webhook is not None:
            notification = compose_notification(
                event=event, title=message.subject, facts=facts, sections=sections
            )
            senders["webhook"] = (
                "The webhook did not take the message: {}.",
                partial(self.webhook.send, notification),
            )
        refused: dict[Channel, str] = {}
        for channel in (channel for channel in channels if channel in senders):
            sentence, send = senders[channel]
            try:
                send()
            except (*REFUSALS, ClientError, BotoCoreError) as error:
                refused[channel] = sentence.format(_name_error(error))
        return Delivery(refused)

    def _make_links(self, summary: Summary) -> dict[str, str]:
        return {name: self.links.report(summary.run_id, name) for name in summary.reports}


def _name_error(error: Exception) -> str:
    """The error's code, and never its message, which may name addresses."""
    if isinstance(error, ClientError):
        return error_code(error) or "unknown"
    return str(error) if isinstance(error, REFUSALS) else type(error).__name__
