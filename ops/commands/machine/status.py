"""`status`: what runs, what serves, which incident is open, how the last executions ended."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from adapters.acknowledgements import Acknowledgements
from domain import keys, times
from domain.drift.alert_state import AlertState
from domain.drift.retraining import Decision
from domain.errors import BadRecord
from domain.model.champion import Champion
from domain.model.consistency import Consistency
from domain.model.probation import Probation
from domain.plural import agree, write_count
from domain.typed_json import Json, encode
from ops import executions, proposals
from ops.commands.machine.up import list_links
from ops.console import Answer, facts
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.target import REPAIR, Target, find_reasons, propose_first_model

if TYPE_CHECKING:
    from rich.console import RenderableType

Facts = list[tuple[str, str]]


def run(
    target: Target,
    *,
    check: Annotated[
        bool,
        Option("--check", help="Compare champion, ledger and registry now; exit 1 on a problem."),
    ] = False,
) -> Answer:
    """Show what runs, what serves, and what needs an answer."""
    data: dict[str, Json] = {"name": target.name, "stage": target.stage}
    shown: Facts = []
    if target.laptop is not None:
        services = read_services(target.laptop)
        data["services"] = {**dict(services)}
        shown += services
        if dict(services)["emulator"] == STOPPED:
            return _answer(data, shown, "python -m ops up")
    if target.read_deployment() is None:
        sentence = target.nothing_deployed
        parts: list[RenderableType] = [facts(shown)] if shown else []
        return Answer(
            data=data | {"deployed": False},
            shown=[*parts, sentence],
            next_step=target.deploy_command,
        )
    if check:
        started = executions.start(target, {"check": True})
        executions.follow_quietly(target, started, "check")
    links, last = list_links(target), list_last_executions(target)
    consistency = describe_consistency(target)
    waiting = target.count_dead_letters()
    champion, serving = _describe_champion(target)
    proposed = proposals.list_waiting(target)
    incidents, described = read_incidents(target)
    data |= {
        "deployed": True,
        "links": {**dict(links)},
        "last": {**dict(last)},
        "problems": [text for name, text in consistency if name == "problem"],
        "champion": None if champion is None else champion.version,
        "dead_letters": waiting,
        "proposals": [proposal.version for proposal in proposed],
        "incidents": [encode(incident) for incident in incidents],
    }
    shown += [*links, *last, *consistency, ("champion", serving)]
    refusals = [] if champion or serving.startswith(LOST) else find_reasons(target)
    data["refusals"] = [reason for _, reason in refusals]
    shown += [("refused", f"{version}: {reason}") for version, reason in refusals]
    shown += described
    shown += [*describe_last_decision(target), *describe_probation(target, champion)]
    shown += [("proposal", proposals.describe(proposal)) for proposal in proposed]
    shown += describe_last_answer(target)
    shown.append(describe_dead_letters(waiting))
    if ("task agent", STOPPED) in shown or ("MLflow", STOPPED) in shown:
        next_step = "python -m ops up"
    elif serving.startswith(LOST):
        next_step = REPAIR
    elif data["problems"]:
        next_step = "python -m ops ledger"
    elif proposed:
        next_step = f"python -m ops approve {proposed[0].version}"
    elif champion is None:
        next_step = _propose_first(target, dict(last).get("last training", ""))
    elif any(incident.acknowledged_by is None for incident in incidents):
        next_step = ACKNOWLEDGE
    else:
        next_step = SIMULATE
    failed = check and (serving.startswith(LOST) or bool(data["problems"]))
    return _answer(data, shown, next_step, status=int(failed))


def _propose_first(target: Target, last_training: str) -> str:
    if last_training.startswith(RUNNING):
        return WAIT
    return CORRECT if last_training.startswith(FAILED) else propose_first_model(target)


CORRECT = "Correct what stopped the last training, then python -m ops train"
WAIT = "python -m ops status, when the training has ended."
SIMULATE = "python -m ops simulate"
ACKNOWLEDGE = "python -m ops acknowledge"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """What `status` says of an open incident.

    `opened_at`: UTC milliseconds, the end of the window that opened it. `drifted`: columns, or
    versions that perform worse. `acknowledged_by`: None while nobody has.
    """

    kind: str
    opened_at: int
    outcome: str
    drifted: tuple[str, ...]
    acknowledged_by: str | None

    def __str__(self) -> str:
        """One sentence."""
        day = times.from_millis(self.opened_at - 1)
        about = f" ({', '.join(self.drifted)})" if self.drifted else ""
        known = f"acknowledged by {self.acknowledged_by}"
        return (
            f"{self.outcome.replace('_', ' ')} since {day:%Y-%m-%d}{about}, "
            f"{known if self.acknowledged_by else 'not acknowledged'}"
        )


def read_incidents(target: Target) -> tuple[list[OpenIncident], Facts]:
    """The open incidents, and the lines about them."""
    reports = target.bucket("reports")
    try:
        state = reports.read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
    except BadRecord as error:
        return [], [("incident", f"unknown: {error}")]
    known = Acknowledgements(reports)
    incidents = [
        OpenIncident(
            kind=kind,
            opened_at=incident.opened_at,
            outcome=incident.outcome,
            drifted=incident.drifted,
            acknowledged_by=acknowledgement.actor if acknowledgement else None,
        )
        for kind, incident in state.open_incidents
        if incident.opened_at is not None
        for acknowledgement in [known.read(kind, incident.opened_at)]
    ]
    return incidents, [("incident", str(each)) for each in incidents] or [("incident", "none open")]


def describe_last_decision(target: Target) -> Facts:
    """What the retrain guard decided last; nothing before its first decision."""
    reports = target.bucket("reports")
    newest = max(reports.list(keys.RETRAINING), key=lambda listed: listed.modified, default=None)
    stored = reports.get(newest.key) if newest else None
    if stored is None:
        return []
    try:
        decision = Decision.from_json(stored.data)
    except BadRecord as error:
        return [("retrain guard", f"its last decision is damaged: {error}")]
    did = "started a training" if decision.start else "started nothing"
    did = "suggested a training" if decision.suggestion else did
    when = times.from_millis(decision.decided_at).strftime("%Y-%m-%d %H:%M UTC")
    return [("retrain guard", f"{when}: {did}. {decision.reason}")]


def describe_probation(target: Target, champion: Champion | None) -> Facts:
    """What is known of the champion since its promotion; nothing before the first look."""
    stored = target.bucket("reports").get(keys.probation(champion.seq)) if champion else None
    if stored is None:
        return []
    try:
        found = Probation.from_json(stored.data)
    except BadRecord as error:
        return [("probation", f"its record is damaged: {error}")]
    return [("probation", f"{found.verdict}: {found.reason}")]


def describe_last_answer(target: Target) -> Facts:
    """Who answered the last proposal, and how; nothing before the first answer."""
    answered = [each for each in proposals.list_proposals(target) if each.answered_at is not None]
    last = max(answered, key=lambda proposal: proposal.answered_at or 0, default=None)
    if last is None:
        return []
    when = times.from_millis(last.answered_at or 0).strftime("%Y-%m-%d %H:%M UTC")
    who = f" by {last.answered_by}" if last.answered_by else ""
    sentence = f"{when}: version {last.version} {last.answer}{who}. {last.said}"
    return [("last approval", sentence.strip())]


STOPPED = "stopped"
RUNNING = "RUNNING"
FAILED = ("FAILED", "TIMED_OUT")
LOST = "pointer lost"


def read_services(laptop: Laptop) -> Facts:
    """Whether each background process of this machine runs and answers."""
    from ops.local import emulator, mlflow_server, task_agent

    services = (
        ("emulator", emulator.daemon(laptop), emulator.healthy(laptop)),
        ("MLflow", mlflow_server.daemon(laptop), mlflow_server.healthy(laptop)),
        ("task agent", task_agent.daemon(laptop), True),
    )
    return [(name, _condition(daemon.pid(), answers)) for name, daemon, answers in services]


def describe_consistency(target: Target) -> Facts:
    """What the last check of champion, ledger and registry found."""
    found = target.bucket("models").read(keys.CHECK, Consistency.from_json)
    if found is None:
        return [("consistency", "not checked yet; --check does")]
    when = times.from_millis(found.checked_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not found.problems:
        return [("consistency", f"champion, ledger and registry agree, seq {found.seq}, {when}")]
    return [("consistency", f"{write_count(len(found.problems), 'problem')}, {when}")] + [
        ("problem", problem) for problem in found.problems
    ]


def describe_dead_letters(waiting: int) -> tuple[str, str]:
    """The line about events that wait."""
    if not waiting:
        return ("dead letters", "none")
    events, their = write_count(waiting, "event"), agree(waiting, "its", "their")
    return ("dead letters", f"{events} never reached {their} target: see docs/aws.md")


def list_last_executions(target: Target) -> Facts:
    """The latest execution of each kind and how it ended; a training is always listed."""
    last: dict[str, str] = {}
    for found in executions.newest(target):
        if found.kind not in last:
            failed = found.status in FAILED
            why = f": {executions.explain_end(target, found.arn)}" if failed else ""
            last[found.kind] = f"{found}{why}"
    ordered = {"training": last.pop("training", "none yet"), **last}
    return [(f"last {kind}", text) for kind, text in ordered.items()]


def _describe_champion(target: Target) -> tuple[Champion | None, str]:
    try:
        champion = target.champion()
    except OpsError as error:
        return None, f"{LOST}: {error}"
    if champion is None:
        return None, "none yet"
    when = times.from_millis(champion.promoted_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    return champion, f"{champion.version}, since {when} (seq {champion.seq})"


def _condition(pid: int | None, answers: bool) -> str:
    if pid is None:
        return STOPPED
    return f"running (process {pid})" if answers else f"process {pid} doesn't answer"


def _answer(data: dict[str, Json], shown: Facts, next_step: str, *, status: int = 0) -> Answer:
    return Answer(data=data, shown=[facts(shown)], next_step=next_step, status=status)
