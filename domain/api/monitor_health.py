"""What the dashboard's page Health says: whether the monitor itself works."""

from dataclasses import dataclass
from typing import Literal

from domain.drift.drift import Outcome

DueState = Literal["done", "missed", "waiting"]
JobState = Literal["on_time", "overdue", "waiting", "unscheduled", "unknown"]
CheckState = Literal["good", "warning", "problem", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRun:
    """A time at which a scheduled drift run was due, in UTC milliseconds, and what came of it.

    `waiting`: it may still be under way, or be started again. Without `run_id` there is no run.
    """

    due_at: int
    state: DueState
    run_id: str | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """A job with a schedule. Times are UTC milliseconds.

    `schedule`: its cron expression, empty without one. `state` in a sentence: `says`. `command`:
    makes up for an overdue run. `last_at`: when it last ran. `due`: drift runs only, the earliest
    first.
    """

    name: str
    schedule: str
    next_at: int | None
    state: JobState
    says: str
    command: str | None
    last_at: int | None
    last_result: str | None
    last_run_id: str | None
    due: tuple[DueRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that the monitor depends on, as a sentence; `at` in UTC milliseconds, if known.

    `none`: there is nothing to judge yet. `command`: what to do about a problem.
    """

    name: str
    state: CheckState
    says: str
    at: int | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorHealth:
    """GET /monitoring/health."""

    jobs: tuple[ScheduledJob, ...]
    checks: tuple[HealthCheck, ...]
