"""Scheduled jobs: when each was due, when it ran, and whether it is overdue."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain import times
from domain.api.answers import ShownExecution
from domain.api.monitor_health import DueRun, DueState, JobState, ScheduledJob
from domain.drift.run_index import IndexEntry, RunIndex
from domain.plural import agree, write_count
from domain.schedule import LOOK_BACK, LOOK_BACK_DAYS, Schedule
from domain.training.execution_kinds import KINDS

GRACE = timedelta(hours=3)
"""A run that is later than this is overdue. A start that failed is tried again for two hours, and a
run takes at most a quarter of an hour."""
SHOWN_DAYS = 90
NOT_UNDERSTOOD = "This schedule's syntax isn't supported here, so late runs can't be recognised."


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSchedules:
    """`daily`: the cron expression of the daily runs. The weekly look-back has the same everywhere.

    `operator_command`: how the operator's command line is called.
    """

    daily: str
    operator_command: str

    def judge(
        self, index: RunIndex, *, exists_since: int | None, now: datetime
    ) -> tuple[ScheduledJob, ...]:
        """Compare the times at which runs were due with the runs.

        `exists_since` (UTC milliseconds): a model has served at least since then, so that the
        first run can be overdue; None before the first model.
        """
        daily, weekly = _select(index, 1), _select(index, LOOK_BACK_DAYS)
        day = _judge("Daily drift run", self.daily, daily, exists_since=exists_since, now=now)
        weeks = _judge("Weekly look-back", LOOK_BACK, weekly, exists_since=exists_since, now=now)
        return (
            self._add_command(day, "drift --as-scheduled"),
            self._add_command(weeks, f"drift --as-scheduled --days {LOOK_BACK_DAYS}"),
        )

    def _add_command(self, job: ScheduledJob, command: str) -> ScheduledJob:
        """Add the command that makes up for the latest run, if that is overdue."""
        if job.state != "overdue":
            return job
        missed = [due for due in job.due if due.state == "missed"][-1]
        day = times.from_millis(missed.due_at).date() - times.DAY
        return replace(job, command=f"{self.operator_command} {command} --day {day}")


def _judge(
    name: str,
    expression: str,
    runs: dict[int, IndexEntry],
    *,
    exists_since: int | None,
    now: datetime,
) -> ScheduledJob:
    schedule = Schedule.parse(expression)
    due = tuple(_list_due(schedule, runs, exists_since, now)) if schedule else ()
    state, says = _describe_due(due) if schedule else ("unknown", NOT_UNDERSTOOD)
    next_at = schedule.find_next(now) if schedule else None
    last = max(runs.values(), key=lambda run: run.end, default=None)
    return ScheduledJob(
        name=name,
        schedule=expression,
        next_at=None if next_at is None else times.to_millis(next_at),
        state=state,
        says=says,
        command=None,
        last_at=last.computed_at if last else None,
        last_result=last.outcome if last else None,
        last_run_id=last.run_id if last else None,
        due=due,
    )


def _describe_due(due: tuple[DueRun, ...]) -> tuple[JobState, str]:
    ended = [each for each in due if each.state != "waiting"]
    if not ended:
        return "waiting", "No run has been due yet."
    if ended[-1].state == "missed":
        return "overdue", f"The run due on {_name_time(ended[-1].due_at)} is missing."
    made = sum(each.state == "done" for each in ended)
    runs, were = write_count(len(ended), "run"), agree(made, "was", "were")
    return "on_time", f"{made} of {runs} due in the last {SHOWN_DAYS} days {were} made."


def _name_time(millis: int) -> str:
    return f"{times.from_millis(millis):%Y-%m-%d at %H:%M} UTC"


def _select(index: RunIndex, days: int) -> dict[int, IndexEntry]:
    """The scheduled runs over so many days, by the end of the window: of several the worst."""
    found: dict[int, IndexEntry] = {}
    for run in index.entries:
        if run.scheduled and run.end - run.start == days * times.DAY_MS:
            known = found.get(run.end)
            if known is None or run.outcome.severity > known.outcome.severity:
                found[run.end] = run
    return found


def _list_due(
    schedule: Schedule, runs: dict[int, IndexEntry], exists_since: int | None, now: datetime
) -> Iterator[DueRun]:
    first_end = min(runs, default=None)
    for at in schedule.list_due(now - timedelta(days=SHOWN_DAYS), now):
        due_at, end = times.to_millis(at), times.to_millis(times.start_of(at.date()))
        run = runs.get(end)
        expected = (first_end is not None and end >= first_end) or (
            exists_since is not None and due_at > exists_since
        )
        if not expected:
            continue
        late: DueState = "waiting" if now < at + GRACE else "missed"
        yield DueRun(
            due_at=due_at,
            state=late if run is None else "done",
            run_id=run.run_id if run else None,
            outcome=run.outcome if run else None,
        )


def judge_executions(
    kind: str, expression: str, last: ShownExecution | None, *, now: datetime
) -> ScheduledJob:
    """The regular executions of one of `KINDS`; `last`: the latest one.

    `expression` is empty for a stage without regular trainings.
    """
    schedule = Schedule.parse(expression) if expression else None
    next_at = schedule.find_next(now) if schedule else None
    name = KINDS[kind]
    state, says = _judge_executions(name, expression, schedule, last, now)
    return ScheduledJob(
        name=name.capitalize(),
        schedule=expression,
        next_at=None if next_at is None else times.to_millis(next_at),
        state=state,
        says=says,
        command=None,
        last_at=last.started_at if last else None,
        last_result=last.status.lower() if last else None,
        last_run_id=None,
        due=(),
    )


def _judge_executions(
    name: str,
    expression: str,
    schedule: Schedule | None,
    last: ShownExecution | None,
    now: datetime,
) -> tuple[JobState, str]:
    if not expression:
        return "unscheduled", "Without a schedule: people and the retrain guard start trainings."
    if schedule is None:
        return "unknown", NOT_UNDERSTOOD
    if last is None:
        return "waiting", f"No {name} has been started yet."
    started = times.from_millis(last.started_at) + times.CLOCK_SKEW
    missed = next(schedule.list_due(started, now - GRACE), None)
    if missed is None:
        return "on_time", f"The latest {name} that was due has been started."
    due_at = _name_time(times.to_millis(missed))
    return "overdue", f"The {name} due on {due_at} was not started."
