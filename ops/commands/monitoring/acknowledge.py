"""`acknowledge`: say that somebody knows of the open incident."""

import time
from dataclasses import asdict
from typing import Annotated

from typer import Option

from adapters.acknowledgements import Acknowledgements
from domain import keys, times
from domain.drift.acknowledgement import Acknowledgement, check_note
from domain.drift.alert_state import AlertState
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target


def run(
    target: Target,
    *,
    note: Annotated[str, Option(help="What you know about it; never a patient's value.")] = "",
) -> Answer:
    """Say that you know of the open incident.

    From then on, only a more serious finding sends another mail, which says who acknowledged it.
    Another drifted column alone sends none. The record stays: who, when, and the note. Repeating it
    changes nothing, and the first acknowledgement counts.
    """
    problem = check_note(note)
    if problem:
        raise OpsError(f"The note {problem}.", "python -m ops acknowledge --note '...'")
    reports = target.bucket("reports")
    state = reports.read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
    open_ones = list(state.open_incidents)
    if not open_ones:
        return Answer(
            data={"acknowledgements": []},
            shown=["No incident is open, so there is nothing to acknowledge."],
            next_step="python -m ops status",
        )
    actor = str(target.client("sts").get_caller_identity()["Arn"])
    stored = [
        Acknowledgements(reports).add(
            Acknowledgement(
                kind=kind,
                opened_at=opened_at,
                acknowledged_at=time.time_ns() // 1_000_000,
                actor=actor,
                note=note,
            )
        )
        for kind, incident in open_ones
        if (opened_at := incident.opened_at) is not None
    ]
    shown = [
        f"The {each.kind} incident since {times.from_millis(each.opened_at - 1):%Y-%m-%d} is"
        f" acknowledged by {each.actor}, {times.from_millis(each.acknowledged_at):%Y-%m-%d %H:%M}"
        f" UTC.{f' Note: {each.note}' if each.note else ''}"
        for each in stored
    ]
    return Answer(
        data={"acknowledgements": [asdict(each) for each in stored]},
        shown=shown,
        next_step="python -m ops open dashboard",
    )
