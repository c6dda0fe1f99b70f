"""The figures of a demo, what did not work in it, and a table of both."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.console import facts

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(slots=True)
class Figures:
    """The content of `.local/demo.json`."""

    champion: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, dict[str, int]] = field(default_factory=dict)
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    mail: list[dict[str, Any]] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def list_failures(figures: Figures) -> list[str]:
    """What did not work, one sentence each."""
    problems = []
    for name, count in figures.predictions.items():
        # A stream may store a record twice when its answer is late; readers keep the earliest.
        if not count["sent"] == count["answered"] == count["distinct"] <= count["logged"]:
            problems.append(
                f"Of {count['sent']} {name} rows {count['answered']} were answered and "
                f"{count['distinct']} are in the log."
            )
    quiet = [found["outcome"] for found in figures.runs["undisturbed"]]
    if set(quiet) != {"stable"}:
        problems.append(f"The undisturbed run was not quiet: {', '.join(quiet) or 'no run'}.")
    found = [run["outcome"] for run in figures.runs["shifted"]]
    if not {"data_drift", "prediction_drift"} & set(found):
        problems.append(f"The shift was not found: {', '.join(found) or 'no run'}.")
    if not figures.mail:
        problems.append("No mail came.")
    elif not any(sent["opens"] for sent in figures.mail):
        problems.append("The mail has no report link that opens.")
    return problems


def tabulate(figures: Figures) -> "Text":
    """The figures as a table for a terminal."""
    metrics = figures.champion["metrics"]
    pairs = [
        ("model version", str(figures.champion["version"])),
        ("F1, test rows", f"{metrics['f1']:.4f}"),
        ("ROC AUC, test rows", f"{metrics['roc_auc']:.4f}"),
    ]
    for name, count in figures.predictions.items():
        copies = count["logged"] - count["distinct"]
        logged = f"{count['distinct']} logged" + (f", {copies} of them twice" if copies else "")
        pairs.append((name, f"{count['answered']} answered, {logged}"))
    for name, runs in figures.runs.items():
        for found in runs:
            drifted = ", ".join(found.get("drifted") or [])
            pairs.append((f"drift, {name}", found["outcome"] + (f": {drifted}" if drifted else "")))
            pairs += [(f"  {report}", link) for report, link in found.get("reports", {}).items()]
    for sent in figures.mail:
        pairs += [("mail", sent["subject"]), ("  read it", sent["file"])]
    pairs += list(figures.urls.items())
    pairs.append(("seconds", f"{sum(figures.seconds.values()):.0f}"))
    return facts(pairs)
