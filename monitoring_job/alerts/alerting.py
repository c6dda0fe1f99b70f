"""Who is told what about a window's runs, and who tells it when several could."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from adapters.s3 import Bucket
from domain import keys
from domain.drift.alert_state import CHANNELS, AlertState, Announcement, Channel
from domain.drift.drift import Outcome, worst
from domain.drift.incident import Transition
from domain.drift.summary import MailStatus, Summary
from domain.errors import BadKey, BadRecord
from monitoring_job.alerts.notifier import Delivery, Notifier

WAIT_SECONDS = 1.0
"""Pause between two looks at an announcement that another run is sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """The alert state in the reports bucket, and the notifier. `clock`: UTC milliseconds.

    `owner` names the run in its claims, so that a repetition of a run that was killed goes on.
    """

    reports: Bucket
    notifier: Notifier
    target: str
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], None] = time.sleep

    def on_demand(self, summaries: Sequence[Summary], *, mail: bool) -> list[Summary]:
        """Runs that somebody asked for: a mail about drift when they asked for one too."""
        drifted = [summary for summary in summaries if summary.outcome.is_drift]
        told = {summary.run_id: replace(summary, mail="not_asked") for summary in drifted}
        if drifted and mail:
            delivery = self.notifier.announce(
                target=self.target, transition=Transition.NONE, summaries=drifted
            )
            told = {summary.run_id: _noted(summary, CHANNELS, delivery) for summary in drifted}
        return [told.get(summary.run_id, summary) for summary in summaries]

    def scheduled(self, summaries: Sequence[Summary], *, look_back: bool = False) -> list[Summary]:
        """The runs of one scheduled window move the incident, once; then what is pending is sent.

        `look_back`: a look back over weeks, which moves an incident of its own. Returns the
        summaries and, behind them, those of older runs that were announced now.
        """
        self._change(partial(_moved, summaries=summaries, look_back=look_back))
        told = {summary.run_id: summary for summary in summaries}
        for pending in self._read().pending:
            if self._claim(pending):
                told |= self._deliver(pending, told)
        return list(told.values())

    def _claim(self, pending: Announcement) -> bool:
        """Claim an announcement for this run; False when another run tries, or has tried, since.

        While another run is sending it, this one waits: that run delivers it, leaves what a channel
        refused to later runs, or dies, and then its claim expires.
        """
        while True:
            now = self.clock()
            if self._change(partial(_claimed, pending=pending, now=now, owner=self.owner)):
                return True
            known = self._read().find(pending)
            if known is None or not known.claimed_by:
                return False
            self.sleep(WAIT_SECONDS)

    def _deliver(self, pending: Announcement, known: dict[str, Summary]) -> dict[str, Summary]:
        """Send it to the channels that haven't taken it; what a channel refuses stays pending."""
        runs = [known.get(run_id) or self._stored(run_id) for run_id in pending.run_ids]
        found = [run for run in runs if run is not None]
        delivery = Delivery()
        if found:  # else the runs are gone, and nothing can be said about them
            delivery = self.notifier.announce(
                target=self.target,
                transition=pending.transition,
                summaries=found,
                channels=pending.channels,
            )
        self._change(partial(_delivered, pending=pending, refused=tuple(delivery.refused)))
        return {run.run_id: _noted(run, pending.channels, delivery) for run in found}

    def _stored(self, run_id: str) -> Summary | None:
        try:
            stored = self.reports.get(keys.summary(keys.RunId.parse(run_id)))
            return Summary.from_json(stored.data) if stored else None
        except (BadRecord, BadKey):
            return None

    def _change(self, edit: Callable[[AlertState], AlertState | None]) -> bool:
        """Replace the state by compare-and-set, unless `edit` answers None."""

        def apply(stored: bytes | None) -> bytes | None:
            changed = edit(_decode(stored))
            return changed.to_json() if changed else None

        return self.reports.update(keys.ALERT_STATE, apply) is not None

    def _read(self) -> AlertState:
        stored = self.reports.get(keys.ALERT_STATE)
        return _decode(stored.data if stored else None)


def _decode(stored: bytes | None) -> AlertState:
    try:
        return AlertState.from_json(stored) if stored is not None else AlertState()
    except BadRecord:
        return AlertState()  # a mail too many is better than none ever again


def _moved(
    state: AlertState, *, summaries: Sequence[Summary], look_back: bool
) -> AlertState | None:
    """The state after a scheduled window, with what is to be told about it.

    News of a look back is another version that does worse, of other windows another column.
    """
    verdicts = {s.run_id: _measured(s) if look_back else s.outcome for s in summaries}
    dropped = [s.version for s in summaries if s.version and verdicts[s.run_id].is_drift]
    columns = [column.column for s in summaries for column in s.drifted]
    transition, becomes = (state.look_back if look_back else state.incident).advance(
        outcome=worst(verdicts.values()),
        drifted=dropped if look_back else columns,
        end=max(summary.end for summary in summaries),
    )
    if transition is Transition.NONE:
        return None
    moved = replace(state, look_back=becomes) if look_back else replace(state, incident=becomes)
    recovers = transition is Transition.RECOVER
    # A month without a drop ends slowly, with the labels of old days: no news for anybody.
    if not transition.is_announced or (recovers and look_back):
        return moved
    run_ids = tuple(run_id for run_id, verdict in verdicts.items() if recovers or verdict.is_drift)
    return moved.with_pending(Announcement(transition=transition, run_ids=run_ids))


def _claimed(
    state: AlertState, *, pending: Announcement, now: int, owner: str
) -> AlertState | None:
    return state.claim(pending, now=now, owner=owner)


def _delivered(
    state: AlertState, *, pending: Announcement, refused: tuple[Channel, ...]
) -> AlertState | None:
    known = state.find(pending)
    if known is None:
        return None
    rest = replace(known, channels=refused, claimed_at=0, claimed_by="")
    return state.replace(known, rest if refused else None)


def _measured(summary: Summary) -> Outcome:
    """What the labels alone say."""
    performance = summary.performance
    if performance is None or not performance.has_enough_labels:
        return Outcome.INSUFFICIENT_DATA
    return Outcome.PERFORMANCE_DROP if performance.dropped else Outcome.STABLE


def _noted(summary: Summary, channels: Sequence[Channel], delivery: Delivery) -> Summary:
    """With what became of the mail, and a sentence for each channel that refused."""
    mail: MailStatus = "failed" if "mail" in delivery.refused else "sent"
    new = [text for text in delivery.refused.values() if text not in summary.problems]
    return replace(
        summary,
        mail=mail if "mail" in channels else summary.mail,
        problems=(*summary.problems, *new),
    )
