"""An incident: it opens, stays silent while nothing gets worse, escalates, and recovers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.drift.drift import Outcome
from domain.times import DAY_MS

RECOVERY_MS = DAY_MS
"""An incident closes when windows without drift span this much time: two quiet days in a row.
Drift that comes and goes is therefore one incident with one mail, not a mail every day.
"""
ESCALATION_PAUSE_MS = 7 * DAY_MS
"""For this long after a mail, another drifted column alone sends no further mail: under one lasting
shift, the borderline columns cross the threshold one by one.
"""


class Transition(StrEnum):
    """What a scheduled run does to the incident."""

    NONE = "none"
    OPEN = "open"
    SILENT = "silent"
    ESCALATE = "escalate"
    RECOVER = "recover"

    @property
    def is_announced(self) -> bool:
        """Whether people are notified."""
        return self in (Transition.OPEN, Transition.ESCALATE, Transition.RECOVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The state of one incident, open or closed. Times are UTC milliseconds.

    - `last_window_end`: end of the last scheduled window that was taken into account.
    - `outcome`, `drifted`: the worst outcome and every drifted name notified so far. Names are
      columns for the daily incident, and model versions that perform worse for the look-back.
    - `opened_at`: end of the window that opened the incident; None while it is closed.
    - `notified_at`: end of the last window that people were notified about.
    - `quiet_since`: end of the first window without drift after the last one with drift.
    """

    last_window_end: int = 0
    outcome: Outcome = Outcome.STABLE
    drifted: tuple[str, ...] = ()
    opened_at: int | None = None
    notified_at: int | None = None
    quiet_since: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether drift was found and has not recovered."""
        return self.opened_at is not None

    def advance(
        self,
        *,
        outcome: Outcome,
        drifted: Iterable[str],
        end: int,
        acknowledged: bool = False,
    ) -> "tuple[Transition, Incident]":
        """Apply the outcome of a scheduled window that ends at `end` (UTC milliseconds).

        A window without a verdict changes nothing, and neither does one that ends no later than
        the last one did. An open incident escalates with a more serious outcome, or,
        ESCALATION_PAUSE_MS after the last mail, with a name in `drifted` that no mail has named.
        One that somebody has `acknowledged` escalates with a more serious outcome only.
        """
        if end <= self.last_window_end or not outcome.is_verdict:
            return Transition.NONE, self
        if not outcome.is_drift:
            return self._advance_quietly(end)
        drifting = replace(self, last_window_end=end, quiet_since=None)
        names = tuple(sorted({*self.drifted, *drifted}))
        if self.opened_at is None:
            return Transition.OPEN, replace(
                drifting, outcome=outcome, drifted=names, opened_at=end, notified_at=end
            )
        pause_is_over = end - (self.notified_at or self.opened_at) >= ESCALATION_PAUSE_MS
        is_worse = outcome.severity > self.outcome.severity
        has_news = pause_is_over and names != self.drifted and not acknowledged
        if is_worse or has_news:
            worst = outcome if is_worse else self.outcome
            return Transition.ESCALATE, replace(
                drifting, outcome=worst, drifted=names, notified_at=end
            )
        return Transition.SILENT, drifting

    def _advance_quietly(self, end: int) -> "tuple[Transition, Incident]":
        """Apply a window without drift."""
        if not self.is_open:
            return Transition.SILENT, Incident(last_window_end=end)
        if self.quiet_since is not None and end - self.quiet_since >= RECOVERY_MS:
            return Transition.RECOVER, Incident(last_window_end=end)
        since = end if self.quiet_since is None else self.quiet_since
        return Transition.SILENT, replace(self, last_window_end=end, quiet_since=since)
