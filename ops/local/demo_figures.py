"""The figures of a demo, what did not work in it, and a table of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.drift.drift import Outcome
from domain.drift.run_result import RunResult
from domain.typed_json import Json
from ops.console import facts

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionFigures:
    """The model that served the demo, with its metrics on the test rows."""

    version: str
    seq: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsSent:
    """Rows of one kind; `distinct` of the `logged` records have an id of their own."""

    sent: int
    answered: int
    logged: int
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail and its file; `opens` are its links that lead to a report."""

    subject: str
    to: tuple[str, ...]
    file: str
    opens: tuple[str, ...]


@dataclass(slots=True)
class Figures:
    """The content of `.local/demo.json`; `training` is what ``ops train --json`` prints."""

    champion: ChampionFigures | None = None
    training: Mapping[str, Json] = field(default_factory=dict)
    predictions: dict[str, RowsSent] = field(default_factory=dict)
    runs: dict[str, tuple[RunResult, ...]] = field(default_factory=dict)
    mail: list[SentMail] = field(default_factory=list)
    incident: tuple[str, ...] = ()
    """What has drifted in the incident that is open."""
    urls: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def list_failures(figures: Figures) -> list[str]:
    """What did not work, one sentence each."""
    problems = []
    for name, count in figures.predictions.items():
        # A stream may store a record twice when its answer is late; readers keep the earliest.
        if not count.sent == count.answered == count.distinct <= count.logged:
            problems.append(
                f"Of {count.sent} {name} rows {count.answered} were answered and "
                f"{count.distinct} are in the log."
            )
    quiet = [found.outcome for found in figures.runs["undisturbed"]]
    if set(quiet) != {Outcome.STABLE}:
        problems.append(f"The undisturbed run was not quiet: {', '.join(quiet) or 'no run'}.")
    found = [run.outcome for run in figures.runs["shifted"]]
    if not {Outcome.DATA_DRIFT, Outcome.PREDICTION_DRIFT} & set(found):
        problems.append(f"The shift was not found: {', '.join(found) or 'no run'}.")
    if not figures.incident:
        problems.append("No incident is open.")
    if not figures.mail:
        problems.append("No mail came.")
    elif not any(sent.opens for sent in figures.mail):
        problems.append("The mail has no report link that opens.")
    return problems


def tabulate(figures: Figures) -> "Text":
    """The figures as a table for a terminal."""
    pairs: list[tuple[str, str]] = []
    if figures.champion is not None:
        metrics = figures.champion.metrics
        pairs = [
            ("model version", figures.champion.version),
            ("F1, test rows", f"{metrics['f1']:.4f}"),
            ("ROC AUC, test rows", f"{metrics['roc_auc']:.4f}"),
        ]
    for name, count in figures.predictions.items():
        copies = count.logged - count.distinct
        logged = f"{count.distinct} logged" + (f", {copies} of them twice" if copies else "")
        pairs.append((name, f"{count.answered} answered, {logged}"))
    for name, runs in figures.runs.items():
        for found in runs:
            drifted = f": {', '.join(found.drifted)}" if found.drifted else ""
            pairs.append((f"drift, {name}", f"{found.outcome}{drifted}"))
            pairs += [(f"  {report}", link) for report, link in found.reports.items()]
    pairs.append(("incident", f"open: {', '.join(figures.incident)}"))
    for sent in figures.mail:
        pairs += [("mail", sent.subject), ("  read it", sent.file)]
    pairs += list(figures.urls.items())
    pairs.append(("seconds", f"{sum(figures.seconds.values()):.0f}"))
    return facts(pairs)
