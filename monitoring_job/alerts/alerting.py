"""Who is told what about a window's runs, and who tells it when several could."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.drift.alert_state import CHANNELS, AlertState, Announcement, Channel
from domain.drift.drift import Outcome, worst
from domain.drift.incident import Transition
from domain.drift.summary import MailStatus, Summary
from domain.errors import BadKey, BadRecord
from monitoring_job.alerts.notifier import Delivery, Notifier

ATTEMPTS = 20
"""Lost compare-and-sets before giving up: as many parallel runs of one window are absurd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """The alert state in the reports bucket, and the notifier. `clock`: UTC milliseconds."""

    reports: Bucket
    notifier: Notifier
    target: str
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000

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
        """The runs of one scheduled window move the incident, once; then what is owed is told.

        `late`: a look back over weeks, which moves an incident of its own. Returns the summaries
        and, behind them, those of older runs that were told now.
        """
        self._change(partial(_moved, summaries=summaries, look_back=look_back))
        told = {summary.run_id: summary for summary in summaries}
        for owed in self._read()[0].pending:
            if self._change(partial(_claimed, announcement=owed, now=self.clock())):
                told |= self._tell(owed, told)
        return list(told.values())

    def _tell(self, owed: Announcement, known: dict[str, Summary]) -> dict[str, Summary]:
        """Send it to the channels that haven't taken it; what is refused stays owed."""
        runs = [known.get(run_id) or self._stored(run_id) for run_id in owed.run_ids]
        found = [run for run in runs if run is not None]
        delivery = Delivery()
        if found:  # else the runs are gone, and nothing can be said about them
            delivery = self.notifier.announce(
                target=self.target,
                transition=owed.transition,
                summaries=found,
                channels=owed.channels,
            )
        rest = replace(owed, channels=tuple(delivery.refused), claimed_at=0)
        self._change(
            lambda state: state.replace(owed, rest if delivery.refused else None),
        )
        return {run.run_id: _noted(run, owed.channels, delivery) for run in found}

    def _stored(self, run_id: str) -> Summary | None:
        try:
            stored = self.reports.get(keys.summary(keys.RunId.parse(run_id)))
            return Summary.from_json(stored.data) if stored else None
        except (BadRecord, BadKey):
            return None

    def _change(self, edit: Callable[[AlertState], AlertState | None]) -> bool:
        """Replace the state by compare-and-set, unless `edit` answers None."""
        for _ in range(ATTEMPTS):
            state, etag = self._read()
            changed = edit(state)
            if changed is None:
                return False
            try:
                self.reports.put_if(keys.ALERT_STATE, changed.to_json(), etag=etag)
            except Conflict:
                continue
            return True
        raise Conflict(keys.ALERT_STATE)

    def _read(self) -> tuple[AlertState, str | None]:
        stored = self.reports.get(keys.ALERT_STATE)
        if stored is None:
            return AlertState(), None
        try:
            return AlertState.from_json(stored.data), stored.etag
        except BadRecord:
            return AlertState(), stored.etag  # a mail too many is better than none ever again


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


def _claimed(state: AlertState, *, announcement: Announcement, now: int) -> AlertState | None:
    return state.claim(announcement, now)


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
