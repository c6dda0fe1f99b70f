"""`up`: emulator, stacks, MLflow and task agent on this machine."""

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

from ops.console import facts
from ops.errors import OpsError
from ops.laptop import AWS_PORT, MLFLOW_PORT, ROOT, Laptop
from ops.local import deploy, emulator, log_columns, mlflow_server, task_agent
from ops.target import Target

MINIMUM_FREE_BYTES = 2 * 1024**3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Ports, database, contract, recipient."""
    parser.add_argument("--port", type=_port, help=f"the emulator's port ({AWS_PORT})")
    parser.add_argument("--mlflow-port", type=_port, help=f"MLflow's port ({MLFLOW_PORT})")
    parser.add_argument(
        "--mlflow-db", help="MLflow's database URL, e.g. postgresql+psycopg2://... (SQLite)"
    )
    parser.add_argument("--contract", type=Path, help="another data contract (contract.toml)")
    parser.add_argument("--mail-to", help="who gets the alert mails")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    laptop = up(args, target)
    print("Everything runs:")
    print(facts(urls(Target.on_laptop(laptop))))
    return "python -m ops sample-data, or upload your own file: python -m ops upload FILE"


def up(args: argparse.Namespace, target: Target) -> Laptop:
    """Start what doesn't run and deploy; raises OpsError. Running it again is harmless."""
    laptop = _chosen(target.here("up"), args)
    if args.contract is not None and not args.contract.is_file():
        raise OpsError(f"There is no contract at {args.contract}.", "Give another --contract.")
    _check_space(laptop)
    mlflow_server.check_port(laptop)
    if emulator.daemon(laptop).pid() is None and not emulator.has_state(laptop):
        forget(laptop)
    emulator.start(laptop, os.environ)
    laptop.save()
    os.environ.update(laptop.aws_env())
    log_columns.check(Target.on_laptop(laptop), args.contract or ROOT / "contract.toml")
    deploy.deploy(laptop, os.environ, contract=args.contract, mail_to=args.mail_to)
    deployment = Target.on_laptop(laptop).deployment
    mlflow_server.start(laptop, deployment, os.environ)
    task_agent.start(laptop, deployment.cluster, os.environ)
    mlflow_server.wait(laptop)
    return laptop


def forget(laptop: Laptop) -> None:
    """Stop everything and remove what it kept: registry and emulator belong together."""
    for service in (task_agent, mlflow_server, emulator):
        service.stop(laptop)
        service.forget(laptop)


def urls(target: Target) -> list[tuple[str, str]]:
    """Where people find things."""
    deployment = target.deployment
    # An account's key isn't printed unasked: terminals are recorded and shared.
    ask = f"aws apigateway get-api-key --api-key {deployment.api_key_id} --include-value"
    return [
        ("Dashboard", f"{deployment.api_url}/"),
        ("API", deployment.api_url),
        ("API key", target.api_key() if target.laptop else f"{ask} --query value --output text"),
        ("MLflow", deployment.mlflow_url + ("" if target.laptop else " (inside its network)")),
    ]


def _chosen(laptop: Laptop, args: argparse.Namespace) -> Laptop:
    """What the options say, else what the last `up` chose; nothing may change while it runs."""
    options = {
        "aws_port": args.port,
        "mlflow_port": args.mlflow_port,
        "mlflow_db": args.mlflow_db,
    }
    chosen = replace(laptop, **{k: v for k, v in options.items() if v is not None})
    if chosen.aws_port == chosen.mlflow_port:
        raise OpsError("Emulator and MLflow can't share a port.", "Choose another --mlflow-port.")
    running = [d.name for d in (emulator.daemon(laptop), mlflow_server.daemon(laptop)) if d.pid()]
    if chosen != laptop and running:
        raise OpsError(
            f"Running with other settings: {' and '.join(running)}.",
            "python -m ops down, then up with the new ones.",
        )
    return chosen


def _check_space(laptop: Laptop) -> None:
    try:
        laptop.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(laptop.folder).free
    except OSError as error:
        raise OpsError(
            f"{laptop.folder} can't be written: {error.strerror or error}.", "Choose --local."
        ) from None
    if free < MINIMUM_FREE_BYTES:
        raise OpsError(
            f"There are {free / 1024**3:.1f} GB free at {laptop.folder}; 2 are needed.",
            "Free some space, or choose another folder: python -m ops --local DIR up",
        )


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port
