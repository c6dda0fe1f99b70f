"""`status`: what runs, what serves, how the last training ended."""

import argparse

from domain import times
from ops import emulator, mlflow_server, task_agent
from ops.console import facts
from ops.target import Target
from ops.up import urls


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
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
        return "python -m ops up" if target.laptop else "npx cdk deploy --all"
    print(facts([*urls(target), ("last training", last_training(target))]))
    champion = target.champion()
    if champion is None:
        print(facts([("champion", "none yet")]))
        return target.command("upload FILE, then train")
    when = times.from_millis(champion.promoted_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    print(facts([("champion", f"{champion.version}, since {when} (seq {champion.seq})")]))
    return target.command("simulate")


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
