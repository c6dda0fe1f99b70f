"""The health of the monitor itself: its schedules, and what its runs and mails depend on."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.api.monitor_health import HealthCheck, MonitorHealth
from domain.drift.alert_state import AlertState
from domain.drift.retraining import Decision
from domain.drift.run_index import RunIndex
from domain.errors import BadRecord
from domain.model.consistency import Consistency
from domain.model.probation import Probation
from domain.plural import agree, write_count
from lambdas.dashboard.executions import Executions
from lambdas.dashboard.schedules import DriftSchedules, judge_executions
from lambdas.dashboard.stored import PARALLEL, decode_newest

FALLBACK_DAYS = 7
COUNTED = 1_000
"""At most so many fallback objects of a stream and day are counted: one page of a listing."""
LOGS = {"log": "predictions", "labels": "labels"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where the monitor's traces are.

    `regular`: kind of an execution → the cron expression of its schedule; that of trainings is
    empty for a stage without.
    """

    reports: Bucket
    models: Bucket
    predictions: Bucket
    executions: Executions
    schedules: DriftSchedules
    regular: Mapping[str, str]

    def check(self, *, now: datetime) -> MonitorHealth:
        """Judge every scheduled job and every check; raises BadRecord for a damaged run index."""
        index = self.reports.read(keys.RUN_INDEX, RunIndex.from_json) or RunIndex()
        champion = ModelStore(self.models).read_champion()
        since = champion.promoted_at if champion else None
        latest = self.executions.find_latest(*self.regular)
        return MonitorHealth(
            jobs=(
                *self.schedules.judge(index, exists_since=since, now=now),
                *(
                    judge_executions(kind, expression, latest.get(kind), now=now)
                    for kind, expression in self.regular.items()
                ),
            ),
            checks=(
                _unless_damaged("Notifications", self._check_notifications, command=self._doctor),
                _check_mails(index),
                _unless_damaged("Retrain guard", self._check_guard),
                _unless_damaged("Probation", self._check_probation),
                _unless_damaged("Ledger", self._check_ledger, command=self._compare),
                *self._check_fallback(now.date()),
                *self._check_rejected(),
            ),
        )

    @property
    def _doctor(self) -> str:
        return f"{self.schedules.operator_command} doctor"

    @property
    def _compare(self) -> str:
        """Compares champion, ledger and registry now."""
        return f"{self.schedules.operator_command} status --check"

    def _check_notifications(self, name: str) -> HealthCheck:
        state = self.reports.read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
        pending = state.pending
        if not pending:
            return HealthCheck(name=name, state="good", says="None is pending.")
        channels = dict.fromkeys(each for waiting in pending for each in waiting.channels)
        return HealthCheck(
            name=name,
            state="problem",
            says=f"{len(pending)} pending: {' and '.join(channels)} refused"
            f" {agree(len(pending), 'it', 'them')}. The next scheduled drift run tries again.",
            command=self._doctor,
        )

    def _check_guard(self, name: str) -> HealthCheck:
        found = decode_newest(self.reports, keys.RETRAINING, Decision.from_json)
        if found is None:
            return HealthCheck(name=name, state="none", says="It has decided nothing yet.")
        return HealthCheck(name=name, state="good", says=found.reason, at=found.decided_at)

    def _check_probation(self, name: str) -> HealthCheck:
        found = decode_newest(self.reports, keys.PROBATION, Probation.from_json)
        if found is None:
            return HealthCheck(name=name, state="none", says="No promotion has been examined yet.")
        says = found.reason or f"Version {found.version} is on probation."
        return HealthCheck(
            name=name,
            state="warning" if found.is_pending or found.verdict == "worse" else "good",
            says=says,
            at=found.looked_at,
        )

    def _check_ledger(self, name: str) -> HealthCheck:
        result = self.models.read(keys.CHECK, Consistency.from_json)
        if result is None:
            says = "Champion, ledger and registry have not been compared yet."
            return HealthCheck(name=name, state="none", says=says)
        return HealthCheck(
            name=name,
            state="problem" if result.problems else "good",
            says=" ".join(result.problems) or "Champion, ledger and registry agree.",
            at=result.checked_at,
            command=self._compare if result.problems else None,
        )

    def _check_fallback(self, today: date) -> Iterator[HealthCheck]:
        """Records that a stream refused, by the days under which they were kept."""
        days = [today - times.DAY * back for back in range(FALLBACK_DAYS)]

        def count(place: str) -> int:
            return sum(1 for _ in islice(self.predictions.list(place), COUNTED))

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            counts = {
                log: list(pool.map(count, [keys.fallback_day(log, day) for day in days]))
                for log in LOGS
            }
        for log, what in LOGS.items():
            objects = sum(counts[log])
            says = f"No {what} went there in the last {FALLBACK_DAYS} days."
            if objects:
                at_least = "at least " if COUNTED in counts[log] else ""
                says = (
                    f"{at_least}{write_count(objects, 'object')} with {what} of the last "
                    f"{FALLBACK_DAYS} days {agree(objects, 'lies', 'lie')} there. Nothing is lost, "
                    "but the stream refused them."
                )
            yield HealthCheck(
                name=f"Fallback of {what}",
                state="warning" if objects else "good",
                says=says[0].upper() + says[1:],
                command=self._doctor if objects else None,
            )

    def _check_rejected(self) -> Iterator[HealthCheck]:
        """Records that did not fit their table, which Firehose put aside."""
        for log, what in LOGS.items():
            kinds = self.predictions.folders(keys.rejected(log))
            days = [day for kind in kinds for day in self.predictions.folders(kind)]
            latest = max(map(_name_of, days), default="")
            newest = max(
                (
                    listed.modified
                    for day in days
                    if _name_of(day) == latest
                    for listed in self.predictions.list(day)
                ),
                default=None,
            )
            if newest is not None:
                yield HealthCheck(
                    name=f"Rejected {what}",
                    state="problem",
                    says=f"Some did not fit their table and lie under {keys.rejected(log)}. "
                    "docs/api.md says how to get them back.",
                    at=times.to_millis(newest),
                )


def _name_of(folder: str) -> str:
    """The last part of a folder's key."""
    return folder.rsplit("/", 2)[-2]


def _unless_damaged(
    name: str, check: Callable[[str], HealthCheck], *, command: str | None = None
) -> HealthCheck:
    """The check of that name; where the record that it reads is damaged, that is the problem."""
    try:
        return check(name)
    except BadRecord as error:
        return HealthCheck(name=name, state="problem", says=str(error), command=command)


def _check_mails(index: RunIndex) -> HealthCheck:
    """How the mail of the latest run ended that had to send one."""
    asked = [run for run in index.entries if run.mail in ("sent", "failed")]
    name, latest = "Mails", max(asked, key=lambda run: run.computed_at, default=None)
    if latest is None:
        return HealthCheck(name=name, state="none", says="No drift run has had to send one yet.")
    if latest.mail == "sent":
        says = "The latest run that had to send one did."
        return HealthCheck(name=name, state="good", says=says, at=latest.computed_at)
    return HealthCheck(
        name=name,
        state="problem",
        says="The latest was refused. Verify sender and recipient in SES.",
        at=latest.computed_at,
    )
