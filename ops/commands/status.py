"""`status`: what runs, what serves, how the last training ended."""

import argparse

from domain import keys, times
from domain.model.consistency import Consistency
from ops.commands import train
from ops.commands.up import urls
from ops.console import facts
from ops.local import emulator, mlflow_server, task_agent
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to compare pointer, ledger and registry first."""
    parser.add_argument(
        "--check", action="store_true", help="compare champion, ledger and registry now"
    )


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    if target.laptop is not None:
        laptop = target.laptop
        services = (
            ("emulator", emulator.daemon(laptop), emulator.healthy(laptop)),
            ("MLflow", mlflow_server.daemon(laptop), mlflow_server.healthy(laptop)),
            ("task agent", task_agent.daemon(laptop), True),
        )
        print(
            facts((name, _condition(process.pid(), answers)) for name, process, answers in services)
        )
        if emulator.daemon(laptop).pid() is None:
            return "python -m ops up"
    if target.deployed() is None:
        print(f"Nothing is deployed at stage {target.stage}.")
        return target.deploy_command
    if args.check:
        train.wait(target, train.start(target, {"check": True}))
    print(facts([*urls(target), ("last training", last_training(target))]))
    print(facts(consistency(target)))
    champion = target.champion()
    if champion is None:
        print(facts([("champion", "none yet")]))
        return target.command("upload FILE, then train")
    when = times.from_millis(champion.promoted_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    print(facts([("champion", f"{champion.version}, since {when} (seq {champion.seq})")]))
    return target.command("simulate")


def consistency(target: Target) -> list[tuple[str, str]]:
    """What the last check of champion, ledger and registry found."""
    stored = target.bucket("models").get(keys.CHECK)
    if stored is None:
        return [("consistency", "not checked yet: status --check")]
    found = Consistency.from_json(stored.data)
    when = times.from_millis(found.checked_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not found.problems:
        return [("consistency", f"champion, ledger and registry agree, seq {found.seq}, {when}")]
    return [("consistency", f"{len(found.problems)} problems, {when}")] + [
        ("problem", problem) for problem in found.problems
    ]


def last_training(target: Target) -> str:
    """The latest execution and how it ended."""
    listed = target.client("stepfunctions").list_executions(
        stateMachineArn=target.deployment.state_machine_arn, maxResults=1
    )["executions"]
    if not listed:
        return "none yet"
    return f"{listed[0]['status']}, started {listed[0]['startDate']:%Y-%m-%d %H:%M:%S %Z}"


def _condition(pid: int | None, answers: bool) -> str:
    if pid is None:
        return "stopped"
    return f"running (process {pid})" if answers else f"process {pid} doesn't answer"
