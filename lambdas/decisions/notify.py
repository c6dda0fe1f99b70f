"""Record what waits for a decision, and mail the operator once for each decision."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapters.mail import Mailer
from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.errors import BadRecord
from domain.model.proposal import Answer, Proposal
from lambdas.decisions.notices import Notice, Notices

ANSWERS: Mapping[str, Answer] = {
    "PromotionApproved": "approved",
    "PromotionRejected": "rejected",
}


def notify(
    *,
    detail_type: str,
    detail: Mapping[str, Any],
    reports: Bucket,
    mailer: Mailer,
    notices: Notices,
) -> str | None:
    """Handle one event; returns the subject of the mail that it led to, None without one.

    Safe to repeat, in any order of the events. A mail is sent before it is noted as sent: whoever
    is killed in between sends it twice. Raises MailRefused and BadRecord.
    """
    if detail_type == "PromotionProposed":
        proposal = Proposal.from_detail(detail)
        _record(reports, proposal)
        return _send(notices.propose(proposal), reports, mailer)
    if detail_type in ANSWERS:
        _settle(reports, detail, ANSWERS[detail_type])
        if ANSWERS[detail_type] == "rejected":
            return _send(notices.reject(detail), reports, mailer)
        return None
    if detail_type == "RetrainingDecided" and detail.get("suggestion"):
        return _send(notices.suggest_training(detail), reports, mailer)
    if detail_type == "ProbationDecided" and detail["verdict"] == "worse":
        return _send(notices.judge(detail), reports, mailer)
    return None


def _record(reports: Bucket, proposal: Proposal) -> None:
    """Store the proposal, and keep an answer that arrived before it."""

    def merge(stored: bytes | None) -> bytes:
        before = _decode(stored)
        answer = before.answer if before else None
        return (proposal.answered(answer) if answer else proposal).to_json()

    reports.update(keys.proposal(proposal.name), merge)


def _settle(reports: Bucket, detail: Mapping[str, Any], answer: Answer) -> None:
    """Note the answer, also where the proposal's own event has not arrived yet."""
    execution = str(detail["execution"])
    unknown = Proposal(
        execution=execution,
        version=str(detail["version"]),
        reasons=tuple(map(str, detail["reasons"])),
        proposed_at=0,
        expires_at=0,
        token="",
    )

    def merge(stored: bytes | None) -> bytes:
        return (_decode(stored) or unknown).answered(answer).to_json()

    reports.update(keys.proposal(unknown.name), merge)


def _decode(stored: bytes | None) -> Proposal | None:
    with suppress(BadRecord):
        return Proposal.from_json(stored) if stored is not None else None
    return None


def _send(notice: Notice, reports: Bucket, mailer: Mailer) -> str | None:
    key = keys.notice(notice.id)
    if reports.exists(key):
        return None
    mailer.send(notice.to_message())
    with suppress(Conflict):  # a parallel delivery noted it
        reports.put_if(key, b'{"sent_at": %d}' % (time.time_ns() // 1_000_000), etag=None)
    return notice.subject
