"""What the drift function answers whoever invoked it: its runs, with links to their reports."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.drift.drift import Outcome
from domain.drift.summary import MailStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run: `rows` distinct predictions, the columns that drifted, report → link.

    `problems` are sentences about what could not be done.
    """

    run_id: str
    outcome: Outcome
    version: str | None
    rows: int
    drifted: tuple[str, ...]
    mail: MailStatus
    reports: Mapping[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunResults:
    """The function's answer; empty when a request was already handled."""

    runs: tuple[RunResult, ...]
