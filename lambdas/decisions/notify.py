"""Record what waits for a decision and who answered, and notify the operator once of each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from adapters.mail import Mailer, MailRefused
from adapters.s3 import Bucket, Conflict
from adapters.webhook.webhook import Webhook, WebhookRefused
from domain import keys
from domain.errors import BadRecord
from domain.model.actor import UNPROVEN, Part
from domain.model.proposal import Answer, Proposal
from domain.training.steps import Approval
from lambdas.decisions.notices import Notice, Notices

Identify = Callable[[str, str], str | None]
"""A proof and the name of an execution → the ARN of the principal that signed it, or None."""
ANSWERS: Mapping[str, Answer] = {
    "PromotionApproved": "approved",
    "PromotionRejected": "rejected",
}


@dataclass(frozen=True, slots=True)
class Channels:
    """By what the operator is notified; `webhook`: None where the stage has none."""

    mailer: Mailer
    webhook: Webhook | None = None

    def senders(self, notice: Notice) -> Iterator[tuple[str, Callable[[], object]]]:
        """For each channel the key that notes what it took, and what sends the notice."""
        yield keys.notice(notice.id), lambda: self.mailer.send(notice.to_message())
        webhook = self.webhook
        if webhook is not None:
            yield (
                keys.notice(f"{notice.id}-webhook"),
                lambda: webhook.send(notice.to_notification()),
            )


def notify(
    *,
    detail_type: str,
    detail: Mapping[str, Any],
    reports: Bucket,
    channels: Channels,
    notices: Notices,
    identify: Identify,
    principals: Mapping[Part, str],
    now: int,
) -> str | None:
    """Handle one event; returns the subject of the notice that it led to, None without one.

    `principals`: see `Caller.name`. `now`: UTC milliseconds. Safe to repeat, in any order of the
    events. Raises MailRefused, WebhookRefused and BadRecord.
    """
    if detail_type == "PromotionProposed":
        proposal = Proposal.from_detail(detail)
        _record(reports, proposal)
        return _send(notices.propose(proposal), reports, channels, now)
    if detail_type in ANSWERS:
        answered_by = _name_answerer(detail, identify, principals)
        found = _settle(reports, detail, ANSWERS[detail_type], answered_by, now)
        return (
            None
            if found.answer == "approved"
            else _send(notices.reject(found), reports, channels, now)
        )
    if detail_type == "RetrainingDecided" and detail.get("suggestion"):
        return _send(notices.suggest_training(detail), reports, channels, now)
    if detail_type == "ProbationDecided" and detail["verdict"] == "worse":
        return _send(notices.judge(detail), reports, channels, now)
    return None


def _record(reports: Bucket, proposal: Proposal) -> None:
    """Store the proposal, and keep an answer that arrived before it."""

    def merge(stored: bytes | None) -> bytes:
        before = _decode(stored)
        if before is None or before.answer is None:
            return proposal.to_json()
        found = proposal.answered(
            before.answer, by=before.answered_by, at=before.answered_at or 0, said=before.said
        )
        return found.to_json()

    reports.update(keys.proposal(proposal.name), merge)


def _settle(
    reports: Bucket, detail: Mapping[str, Any], answer: Answer, answered_by: str, now: int
) -> Proposal:
    """Note the answer and who gave it, also where the proposal's own event has not arrived yet."""
    execution = str(detail["execution"])
    unknown = Proposal(
        execution=execution,
        version=str(detail["version"]),
        reasons=tuple(map(str, detail["reasons"])),
        proposed_at=0,
        expires_at=0,
        token="",
    )
    expired = bool(detail.get("expired"))
    by = None if expired else answered_by
    said = "" if answer == "approved" else " ".join(unknown.reasons)
    settled = unknown

    def merge(stored: bytes | None) -> bytes:
        nonlocal settled
        known = _decode(stored) or unknown
        settled = known.answered("expired" if expired else answer, by=by, at=now, said=said)
        return settled.to_json()

    reports.update(keys.proposal(unknown.name), merge)
    return settled


def _name_answerer(
    detail: Mapping[str, Any], identify: Identify, principals: Mapping[Part, str]
) -> str:
    """Who answered, by the proof that the answer carries."""
    with suppress(BadRecord):
        caller = Approval.from_dict(detail.get("answer")).caller
        if caller is not None:
            execution = str(detail["execution"]).rsplit(":", 1)[-1]
            return caller.name(identify(caller.proof, execution), principals)
    return UNPROVEN


def _decode(stored: bytes | None) -> Proposal | None:
    with suppress(BadRecord):
        return Proposal.from_json(stored) if stored is not None else None
    return None


def _send(notice: Notice, reports: Bucket, channels: Channels, now: int) -> str | None:
    """Send it by each channel that has not taken it; None if all had.

    It is sent before it is noted as sent: whoever is killed in between sends it twice. A channel
    that refuses does not keep the other from being tried.
    """
    refused: MailRefused | WebhookRefused | None = None
    sent = False
    for key, send in channels.senders(notice):
        if reports.exists(key):
            continue
        try:
            send()
        except (MailRefused, WebhookRefused) as error:
            refused = refused or error
            continue
        with suppress(Conflict):  # a parallel delivery noted it
            reports.put_if(key, b'{"sent_at": %d}' % now, etag=None)
        sent = True
    if refused is not None:
        raise refused
    return notice.subject if sent else None
