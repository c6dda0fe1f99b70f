"""Who is told what about a window's runs, and who tells it when several could."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.drift import worst
from domain.errors import BadRecord
from domain.incident import AlertState, Claim, Transition
from domain.summary import MailStatus, Summary
from monitoring_job.notifier import Delivery, Notifier

ATTEMPTS = 10
"""Lost compare-and-sets before giving up: as many parallel runs of one window are absurd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """The alert state in the reports bucket, and the notifier. `now`: UTC milliseconds."""

    reports: Bucket
    notifier: Notifier
    target: str
    now: int

    def on_demand(self, summaries: Sequence[Summary], *, mail: bool) -> list[Summary]:
        """Runs that somebody asked for: a mail about drift when they asked for one too."""
        drifted = [summary for summary in summaries if summary.outcome.is_drift]
        if not drifted:
            return list(summaries)
        if not mail:
            return _marked(summaries, "not_asked")
        delivery = self.notifier.announce(
            target=self.target, transition=Transition.NONE, summaries=drifted
        )
        return _delivered(summaries, delivery)

    def scheduled(self, summaries: Sequence[Summary]) -> list[Summary]:
        """The runs of one scheduled window move the incident, once."""
        for _ in range(ATTEMPTS):
            state, etag = self._read()
            transition, becomes = state.incident.after(
                outcome=worst(summary.outcome for summary in summaries),
                drifted=[name for summary in summaries for name in summary.told],
                end=max(summary.end for summary in summaries),
            )
            if transition is Transition.NONE or state.is_claimed(self.now):
                return list(summaries)
            try:
                if not transition.is_announced:
                    self._write(AlertState(becomes), etag)
                    return list(summaries)
                claim = Claim(transition=transition, claimed_at=self.now, becomes=becomes)
                etag = self._write(AlertState(state.incident, claim), etag)
            except Conflict:
                continue
            return self._announced(summaries, state, claim, etag)
        raise Conflict(keys.ALERT_STATE)

    def _announced(
        self, summaries: Sequence[Summary], before: AlertState, claim: Claim, etag: str
    ) -> list[Summary]:
        """Send what was claimed; a mail that was refused leaves the incident as it was."""
        told = summaries
        if claim.transition is not Transition.RECOVER:
            told = [summary for summary in summaries if summary.outcome.is_drift]
        delivery = self.notifier.announce(
            target=self.target, transition=claim.transition, summaries=told
        )
        after = AlertState(claim.becomes if delivery.mailed else before.incident)
        with suppress(Conflict):  # then the claim has expired, and its successor's state stands
            self._write(after, etag)
        everybody = claim.transition is Transition.RECOVER
        return _delivered(summaries, delivery, everybody=everybody)

    def _read(self) -> tuple[AlertState, str | None]:
        stored = self.reports.get(keys.ALERT_STATE)
        if stored is None:
            return AlertState(), None
        try:
            return AlertState.from_json(stored.data), stored.etag
        except BadRecord:
            return AlertState(), stored.etag  # a mail too many is better than none ever again

    def _write(self, state: AlertState, etag: str | None) -> str:
        return self.reports.put_if(keys.ALERT_STATE, state.to_json(), etag=etag)


def _delivered(
    summaries: Sequence[Summary], delivery: Delivery, *, everybody: bool = False
) -> list[Summary]:
    marked = _marked(summaries, "sent" if delivery.mailed else "failed", everybody=everybody)
    return [
        replace(summary, problems=summary.problems + delivery.problems)
        if summary.mail != "not_needed"
        else summary
        for summary in marked
    ]


def _marked(
    summaries: Sequence[Summary], status: MailStatus, *, everybody: bool = False
) -> list[Summary]:
    return [
        replace(summary, mail=status) if everybody or summary.outcome.is_drift else summary
        for summary in summaries
    ]
