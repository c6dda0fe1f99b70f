"""`doctor`: what is wrong, or will be, with this machine, an account, and what is deployed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

from typer import Option

from domain.plural import write_count
from ops.console import Answer, Progress
from ops.doctor.finding import Check, Finding, Level
from ops.target import Target

CLEAN, PROBLEMS = 0, 1

Found = list[tuple[str, Finding]]


def run(
    target: Target,
    *,
    mail_from: Annotated[
        str | None, Option(help="The sender of the mails, before the first deployment.")
    ] = None,
) -> Answer:
    """Say what is wrong here or in an account, and what to do. It changes nothing.

    Without --stage it looks at this machine. With --stage it looks at the account, before and after
    a deployment. Exit status 1: there is a problem.
    """
    found = examine(target, mail_from=mail_from)
    counted = Counter(finding.level for _, finding in found)
    parts = [_count(level, counted[level]) for level in WORST_FIRST if counted[level]]
    ranked = sorted((finding for _, finding in found), key=lambda f: WORST_FIRST.index(f.level))
    return Answer(
        data=[{"check": name, **asdict(finding)} for name, finding in found],
        shown=[*(describe(name, finding) for name, finding in found), f"\n{', '.join(parts)}."],
        next_step=ranked[0].next_step or "python -m ops status",
        status=PROBLEMS if counted[Level.PROBLEM] else CLEAN,
    )


WORST_FIRST = tuple(reversed(Level))


def _count(level: Level, number: int) -> str:
    return (
        write_count(number, level) if level in (Level.PROBLEM, Level.NOTE) else f"{number} {level}"
    )


def describe(name: str, finding: Finding) -> str:
    """One line: level, check, sentence, next step."""
    step = f" Next: {finding.next_step}" if finding.next_step else ""
    return f"{finding.level:8} {name:12} {finding.sentence}{step}"


def examine(target: Target, *, mail_from: str | None = None) -> Found:
    """Ask every check that applies here, and return the name of each with what it found."""
    from ops.doctor import deployed, machine, tracking
    from ops.doctor.account import AccountChecks
    from ops.local import emulator

    with Progress("doctor") as progress:

        def ask(checks: Iterable[Check]) -> Found:
            found: Found = []
            for check in checks:
                progress.note(check.name)
                found += [(check.name, finding) for finding in check.findings(target)]
            return found

        if target.laptop is None:
            credentials, *others = AccountChecks(target.stage, target.name, mail_from).checks
            found = ask([credentials])
            if found[0][1].level is not Level.OK:
                return found
            found += ask(others)
        else:
            found = ask(machine.CHECKS)
            if emulator.daemon(target.laptop).pid() is None:
                return found
        found += ask([Check("stacks", deployed.check_stacks)])
        if deployed.find_deployment(target) is not None:
            found += ask((*tracking.CHECKS, *deployed.CHECKS))
        return found
