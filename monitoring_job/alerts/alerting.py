"""Decide who is notified about a window's runs, and which of several parallel runs does it."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from adapters.acknowledgements import Acknowledgements
from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.acknowledgement import Acknowledgement, Kind
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
    """The alert state in the reports bucket, and the notifier.

    `target`: what the models predict, for the mails. `owner` names the run in its claims, so that
    a retry of a run that was killed continues its work. `clock`: UTC milliseconds.
    """

    reports: Bucket
    notifier: Notifier
    target: str
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], None] = time.sleep

    def handle_on_demand(self, summaries: Sequence[Summary], *, mail: bool) -> list[Summary]:
        """Notify about drift in runs on demand, if `mail` says so; returns the summaries."""
        drifted = [summary for summary in summaries if summary.outcome.is_drift]
        changed = {summary.run_id: replace(summary, mail="not_asked") for summary in drifted}
        if drifted and mail:
            delivery = self.notifier.announce(
                target=self.target, transition=Transition.NONE, summaries=drifted
            )
            changed = {s.run_id: _record_delivery(s, CHANNELS, delivery) for s in drifted}
        return [changed.get(summary.run_id, summary) for summary in summaries]

    def handle_scheduled(
        self, summaries: Sequence[Summary], *, look_back: bool = False
    ) -> list[Summary]:
        """Update the incident by the runs of one scheduled window, then deliver what is pending.

        `look_back`: the window spans weeks, and has an incident of its own. Returns the summaries,
        followed by those of older runs that people were notified of now.
        """
        advance = partial(
            _advance_incident,
            summaries=summaries,
            look_back=look_back,
            channels=self.notifier.channels,
            acknowledged=self._find_acknowledgement(look_back),
        )
        self._change(advance)
        changed = {summary.run_id: summary for summary in summaries}
        for pending in self._read().pending:
            if self._claim(pending):
                changed |= self._deliver(pending, changed)
        return list(changed.values())

    def _find_acknowledgement(self, look_back: bool) -> Acknowledgement | None:
        """That of the open incident, if somebody has acknowledged it."""
        state = self._read()
        kind: Kind = "look-back" if look_back else "daily"
        incident = state.look_back if look_back else state.incident
        return Acknowledgements(self.reports).find(kind, incident)

    def _list_remarks(self, transition: Transition) -> list[str]:
        """What the mail about an open incident says of those who know of it."""
        if transition is not Transition.ESCALATE:
            return []
        store = Acknowledgements(self.reports)
        found = [store.find(kind, incident) for kind, incident in self._read().open_incidents]
        return [
            f"The incident was acknowledged on {times.from_millis(each.acknowledged_at):%Y-%m-%d} "
            f"by {each.actor}{f': {each.note}' if each.note else '.'}"
            for each in found
            if each is not None
        ]

    def _claim(self, pending: Announcement) -> bool:
        """Claim an announcement for this run; False when another run sends it or has sent it.

        While another run is sending it, this one waits. That run delivers it, leaves to later runs
        what a channel refused, or dies, and then its claim expires.
        """
        while True:
            claim = partial(
                AlertState.claim, announcement=pending, now=self.clock(), owner=self.owner
            )
            if self._change(claim):
                return True
            known = self._read().find(pending)
            if known is None or not known.claimed_by:
                return False
            self.sleep(WAIT_SECONDS)

    def _deliver(self, pending: Announcement, known: dict[str, Summary]) -> dict[str, Summary]:
        """Send an announcement to the channels that have not accepted it; the rest stays pending.

        `known`: run id → summary of the current runs; others are read. Returns the summaries that
        changed.
        """
        runs = [known.get(run_id) or self._read_summary(run_id) for run_id in pending.run_ids]
        found = [run for run in runs if run is not None]
        delivery = Delivery()
        if found:  # else the runs were deleted, and there is nothing to say about them
            delivery = self.notifier.announce(
                target=self.target,
                transition=pending.transition,
                summaries=found,
                channels=pending.channels,
                remarks=self._list_remarks(pending.transition),
            )
        self._change(partial(_settle, pending=pending, refused=tuple(delivery.refused)))
        return {run.run_id: _record_delivery(run, pending.channels, delivery) for run in found}

    def _read_summary(self, run_id: str) -> Summary | None:
        try:
            return self.reports.read(keys.summary(keys.RunId.parse(run_id)), Summary.from_json)
        except (BadRecord, BadKey):
            return None

    def _change(self, edit: Callable[[AlertState], AlertState | None]) -> bool:
        """Replace the state by compare-and-swap; returns False if `edit` returns None."""

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
        return AlertState()  # one mail too many is better than no mail ever again


def _advance_incident(
    state: AlertState,
    *,
    summaries: Sequence[Summary],
    look_back: bool,
    channels: tuple[Channel, ...],
    acknowledged: Acknowledgement | None,
) -> AlertState | None:
    """The state after a scheduled window, with an announcement if people should be notified.

    `channels`: those by which they are.
    The daily incident escalates with another drifted column, that of the look-back with another
    version that performs worse. None when the window changes nothing.
    """
    outcomes = {s.run_id: _judge_by_labels(s) if look_back else s.outcome for s in summaries}
    worse_versions = [s.version for s in summaries if s.version and outcomes[s.run_id].is_drift]
    columns = [column.column for s in summaries for column in s.drifted]
    kind: Kind = "look-back" if look_back else "daily"
    before = state.look_back if look_back else state.incident
    transition, incident = before.advance(
        outcome=worst(outcomes.values()),
        drifted=worse_versions if look_back else columns,
        end=max(summary.end for summary in summaries),
        acknowledged=acknowledged is not None and acknowledged.is_of(kind, before),
    )
    if transition is Transition.NONE:
        return None
    advanced = state.advance(kind, incident)
    recovers = transition is Transition.RECOVER
    # A month without a drop ends slowly, with the labels of old days; nobody needs a mail then.
    if not transition.is_announced or (recovers and look_back):
        return advanced
    run_ids = tuple(run_id for run_id, o in outcomes.items() if recovers or o.is_drift)
    announcement = Announcement(transition=transition, run_ids=run_ids, channels=channels)
    return advanced.with_pending(announcement)


def _settle(
    state: AlertState, *, pending: Announcement, refused: tuple[Channel, ...]
) -> AlertState | None:
    """Remove an announcement that was sent, or keep it for the channels that refused."""
    known = state.find(pending)
    if known is None:
        return None
    rest = replace(known, channels=refused, claimed_at=0, claimed_by="")
    return state.replace(known, rest if refused else None)


def _judge_by_labels(summary: Summary) -> Outcome:
    """The outcome by measured performance alone."""
    performance = summary.performance
    if performance is None or not performance.has_enough_labels:
        return Outcome.INSUFFICIENT_DATA
    dropped = performance.dropped or summary.declined_segments
    return Outcome.PERFORMANCE_DROP if dropped else Outcome.STABLE


def _record_delivery(summary: Summary, channels: Sequence[Channel], delivery: Delivery) -> Summary:
    """Set the mail status, and add a sentence for each channel that refused."""
    mail: MailStatus = "failed" if "mail" in delivery.refused else "sent"
    new = [text for text in delivery.refused.values() if text not in summary.problems]
    return replace(
        summary,
        mail=mail if "mail" in channels else summary.mail,
        problems=(*summary.problems, *new),
    )
