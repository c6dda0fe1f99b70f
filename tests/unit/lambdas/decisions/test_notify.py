"""What the operator is notified of, once for each decision, and with which command."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.mail import MailRefused, Message
from adapters.webhook.notification import Notification
from adapters.webhook.webhook import WebhookRefused
from domain import keys
from domain.model.proposal import Proposal
from lambdas.decisions.notices import Notices
from lambdas.decisions.notify import Channels, notify
from tests.unit.fakes import FakeS3

NOW = 1_767_225_600_000
SUGGESTED = {
    "reason": "Drift was found <b>here</b>.",
    "execution": None,
    "suggestion": "drift-0123",
    "transition": "open",
    "run_ids": ["a"],
    "decided_at": 1,
    "start": False,
}


@dataclass
class Outbox:
    """A mailer that keeps the mails, or refuses them."""

    mails: list[Message] = field(default_factory=list)
    refuses: bool = False

    def send(self, message: Message) -> None:
        if self.refuses:
            raise MailRefused("MessageRejected")
        self.mails.append(message)


@dataclass
class Hook:
    """A webhook that keeps the messages, or refuses them."""

    taken: list[Notification] = field(default_factory=list)
    refuses: bool = False

    def send(self, notification: Notification) -> None:
        if self.refuses:
            raise WebhookRefused("status 500")
        self.taken.append(notification)


@dataclass
class World:
    """The reports bucket, the mailer, and a webhook if the stage has one."""

    s3: FakeS3 = field(default_factory=FakeS3)
    outbox: Outbox = field(default_factory=Outbox)
    hook: Hook | None = None

    def hear(self, detail_type: str, detail: dict[str, Any]) -> str | None:
        return notify(
            detail_type=detail_type,
            detail=detail,
            reports=self.s3.bucket(),
            channels=Channels(self.outbox, self.hook),  # type: ignore[arg-type]  # they only send
            notices=Notices("ops --stage dev", "https://api.example.org/v1"),
            principals={},
            identify=lambda proof, execution: f"arn:{proof}:{execution}" if proof else None,
            now=NOW,
        )


def test_a_suggested_training_is_mailed_once_with_its_command() -> None:
    world = World()
    for run in ("a", "a", "b"):  # two detections at once suggest the same training
        world.hear("RetrainingDecided", SUGGESTED | {"run_ids": [run]})
    (mail,) = world.outbox.mails
    assert "ops --stage dev train" in mail.text
    assert str(SUGGESTED["reason"]) in mail.text
    assert "&lt;b&gt;here" in mail.html


JUDGED = {
    "seq": 2,
    "version": "2-0a1b2c3d",
    "predecessor": "1-0a1b2c3d",
    "verdict": "worse",
    "reason": "The F1 of version 1-0a1b2c3d is higher.",
}


@pytest.mark.parametrize(
    ("rolls_back", "subject", "command"),
    [
        (True, "Version 2-0a1b2c3d is taken back", "ledger"),
        (False, "Version 2-0a1b2c3d is worse", "rollback 1-0a1b2c3d"),
    ],
)
def test_a_promotion_that_proves_wrong_is_mailed_once(
    rolls_back: bool, subject: str, command: str
) -> None:
    world = World()
    for _ in range(2):
        world.hear("ProbationDecided", JUDGED | {"rolls_back": rolls_back})
    (mail,) = world.outbox.mails
    assert mail.subject.startswith(subject)
    assert f"ops --stage dev {command}" in mail.text


@pytest.mark.parametrize(
    ("detail_type", "detail"),
    [
        ("RetrainingDecided", SUGGESTED | {"suggestion": None}),
        ("RetrainingDecided", SUGGESTED | {"suggestion": None, "execution": "drift-0123"}),
        ("ProbationDecided", JUDGED | {"verdict": "passed", "rolls_back": False}),
        ("PromotionApproved", {"execution": "arn:e", "version": "1-0a1b2c3d", "reasons": []}),
    ],
)
def test_what_needs_nobody_is_not_mailed(detail_type: str, detail: dict[str, Any]) -> None:
    world = World()
    assert world.hear(detail_type, detail) is None
    assert [] == world.outbox.mails


def test_a_refused_mail_is_sent_by_the_repeated_event() -> None:
    world = World()
    world.outbox.refuses = True
    with pytest.raises(MailRefused):
        world.hear("RetrainingDecided", SUGGESTED)
    assert not [key for key in world.s3.objects if key.startswith(keys.NOTICES)]
    world.outbox.refuses = False
    assert world.hear("RetrainingDecided", SUGGESTED)
    assert 1 == len(world.outbox.mails)


def _answer(proof: str) -> dict[str, Any]:
    return {"approved": False, "reason": "Too low.", "caller": {"proof": proof}}


DECLINED = {
    "execution": "arn:aws:states:eu-central-1:123456789012:execution:training:e",
    "version": "1-0a1b2c3d",
    "reasons": ["Kept: an operator rejected the version: too low."],
}


@pytest.mark.parametrize(
    ("detail_type", "more", "answer", "who"),
    [
        ("PromotionRejected", {"answer": _answer("p")}, "rejected", "arn:p:e"),
        ("PromotionRejected", {"answer": _answer("")}, "rejected", "unproven"),
        ("PromotionRejected", {"answer": {"approved": False}}, "rejected", "unproven"),
        ("PromotionRejected", {"expired": True}, "expired", None),
        ("PromotionApproved", {"answer": _answer("p")}, "approved", "arn:p:e"),
    ],
)
def test_who_answered_a_proposal_is_recorded_and_mailed(
    detail_type: str, more: dict[str, Any], answer: str, who: str | None
) -> None:
    world = World()
    for _ in range(2):
        world.hear(detail_type, DECLINED | more)
    found = Proposal.from_json(world.s3.objects[keys.proposal("e")])
    assert (answer, who, NOW) == (found.answer, found.answered_by, found.answered_at)
    if answer == "approved":
        assert [] == world.outbox.mails
        return
    assert DECLINED["reasons"] == [found.said]
    (mail,) = world.outbox.mails
    assert found.said in mail.text
    assert (f"Rejected by {who}." in mail.text) == (who is not None)


def test_the_first_answer_to_a_proposal_stays() -> None:
    world = World()
    world.hear("PromotionRejected", DECLINED | {"answer": _answer("first")})
    world.hear("PromotionApproved", DECLINED | {"answer": _answer("second")})
    found = Proposal.from_json(world.s3.objects[keys.proposal("e")])
    assert ("rejected", "arn:first:e") == (found.answer, found.answered_by)


def test_a_webhook_gets_every_decision_once_too() -> None:
    hook = Hook()
    world = World(hook=hook)
    for _ in range(2):
        world.hear("ProbationDecided", JUDGED | {"rolls_back": False})
    (message,) = hook.taken
    assert world.outbox.mails[0].subject == message.title
    assert "Take it back: ops --stage dev rollback 1-0a1b2c3d" in message.facts
    assert (("Dashboard", "https://api.example.org/v1/#/models/2-0a1b2c3d"),) == message.links


@pytest.mark.parametrize("refusing", ["outbox", "hook"])
def test_a_repeated_event_reaches_only_the_channel_that_refused(refusing: str) -> None:
    hook = Hook()
    world = World(hook=hook)
    getattr(world, refusing).refuses = True
    with pytest.raises((MailRefused, WebhookRefused)):
        world.hear("RetrainingDecided", SUGGESTED)
    assert 1 == len(world.outbox.mails) + len(hook.taken)  # the other one got it
    getattr(world, refusing).refuses = False
    assert world.hear("RetrainingDecided", SUGGESTED)
    assert (1, 1) == (len(world.outbox.mails), len(hook.taken))
    assert world.hear("RetrainingDecided", SUGGESTED) is None


def test_the_token_that_answers_a_proposal_is_in_no_message() -> None:
    hook = Hook()
    world = World(hook=hook)
    proposed = {
        "execution": "arn:a:execution:t:e",
        "version": "2-0a1b2c3d",
        "reasons": ["F1 rises."],
        "proposed_at": "2026-01-01T00:00:00Z",
        "hours": 1,
        "token": "the-token",
    }
    world.hear("PromotionProposed", proposed)
    assert "the-token" not in repr(hook.taken) + repr(world.outbox.mails)
    assert "PromotionProposed" == hook.taken[0].type
