"""`up`: emulator, stacks, MLflow and task agent on this machine."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Option

from ops import contract_changes
from ops.console import Answer, Checklist, facts, write_line
from ops.errors import OpsError
from ops.laptop import AWS_PORT, MLFLOW_PORT, Laptop
from ops.local import deploy, emulator, log_columns, mlflow_server, task_agent
from ops.people import is_mail
from ops.target import Target, has_data

FIRST_DATA = "python -m ops sample-data makes a file, python -m ops upload FILE uploads your own."
MINIMUM_FREE_BYTES = 2 * 1024**3

Port = Annotated[int | None, Option(min=1, max=65535, help=f"Port of the emulator ({AWS_PORT}).")]
MlflowPort = Annotated[
    int | None, Option(min=1, max=65535, help=f"Port of MLflow ({MLFLOW_PORT}).")
]
MlflowDb = Annotated[
    str | None,
    Option(help="Database URL of MLflow, e.g. postgresql+psycopg2://... (SQLite)."),
]
ContractPath = Annotated[
    Path | None, Option(help="The data contract to deploy (the last one, or contract.toml).")
]
SettingsPath = Annotated[
    Path | None,
    Option(
        help="A JSON file with settings that replace the stage's in cdk.json, until the next `up`."
    ),
]
MailTo = Annotated[str | None, Option(help="Who gets the alert mails.")]


def run(
    target: Target,
    *,
    port: Port = None,
    mlflow_port: MlflowPort = None,
    mlflow_db: MlflowDb = None,
    contract: ContractPath = None,
    mail_to: MailTo = None,
    settings: SettingsPath = None,
) -> Answer:
    """Start everything on this machine and deploy to it. It is safe to run again.

    With the --name of another deployment it adds that one beside those that are there.
    """
    laptop = start(
        target,
        port=port,
        mlflow_port=mlflow_port,
        mlflow_db=mlflow_db,
        contract=contract,
        mail_to=mail_to,
        settings=settings,
    )
    deployed = Target.on_laptop(laptop)
    links = list_links(deployed)
    is_empty = not deployed.models.list_cards() and not has_data(deployed)
    return Answer(
        data=dict(links),
        shown=[_describe(laptop), facts(links)],
        next_step=FIRST_DATA if is_empty else "python -m ops status",
    )


def start(
    target: Target,
    *,
    port: int | None = None,
    mlflow_port: int | None = None,
    mlflow_db: str | None = None,
    contract: Path | None = None,
    mail_to: str | None = None,
    settings: Path | None = None,
    stations: Checklist | None = None,
) -> Laptop:
    """Start what doesn't run yet, and deploy; raises OpsError.

    `stations`: of the longer command that this is a part of.
    """
    options = {"aws_port": port, "mlflow_port": mlflow_port, "mlflow_db": mlflow_db}
    chosen = {name: value for name, value in options.items() if value is not None}
    laptop = _choose(target, **chosen)
    contract = contract.resolve() if contract else laptop.contract_file
    if not contract.is_file():
        raise OpsError(f"There is no contract at {contract}.", "Give another --contract.")
    changed = None if settings is None else _read_settings(settings)
    if mail_to is not None and not is_mail(mail_to):
        raise OpsError(f"{mail_to} is not a mail address.", "Write one, such as ada@example.org.")
    _check_space(laptop)
    emulator.check_port(laptop)
    mlflow_server.check_port(laptop)
    stations = stations or Checklist()
    with stations.station("emulator") as station:
        _set_aside_unsaved(laptop)
        station.result = "started" if emulator.start(laptop, os.environ) else "was running"
    laptop = laptop.with_contract(laptop.contract)
    laptop.save()
    os.environ.update(laptop.aws_env())
    log_columns.check(Target.on_laptop(laptop), contract)
    contract_changes.announce(Target.on_laptop(laptop), contract)
    with stations.station("stacks"):
        deploy.deploy(laptop, os.environ, contract=contract, mail_to=mail_to, settings=changed)
        save_state(laptop)
    laptop = laptop.with_contract(str(contract))
    laptop.save()
    deployment = Target.on_laptop(laptop).deployment
    with stations.station("MLflow and task agent"):
        mlflow_server.start(laptop, deployment, os.environ)
        task_agent.start(laptop, os.environ)
        mlflow_server.wait(laptop)
    return laptop


def _read_settings(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OpsError(
            f"{path} can't be read: {error.strerror}.", "Give another --settings."
        ) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OpsError(
            f"{path} can't be read as a JSON object of settings.",
            'Write one as in cdk.json, such as {"approval": true}.',
        )
    return json.dumps(found)


def forget(laptop: Laptop) -> None:
    """Stop everything and remove what it kept: registry and emulator belong together."""
    for service in (task_agent, mlflow_server, emulator):
        service.stop(laptop)
        service.forget(laptop)


def list_links(target: Target) -> list[tuple[str, str]]:
    """Where people find the dashboard, the API, its key, and MLflow."""
    deployment = target.deployment
    # An account's key isn't printed unasked: terminals are recorded and shared.
    ask = f"aws apigateway get-api-key --api-key {deployment.api_key_id} --include-value"
    return [
        ("Dashboard", f"{deployment.api_url}/"),
        ("API", deployment.api_url),
        ("API key", target.api_key() if target.laptop else f"{ask} --query value --output text"),
        ("MLflow", deployment.mlflow_url + ("" if target.laptop else " (inside its network)")),
    ]


def _choose(target: Target, **options: int | str) -> Laptop:
    """The last `up`'s settings with these options; no port may change while it is in use."""
    _ = target.names  # raises BadName
    chosen = replace(target.require_laptop("up"), **options)  # type: ignore[arg-type]  # its fields
    laptop = Laptop.load(target.folder)
    if chosen.aws_port == chosen.mlflow_port:
        raise OpsError("Emulator and MLflow can't share a port.", "Choose another --mlflow-port.")
    running = [d.name for d in (emulator.daemon(laptop), mlflow_server.daemon(laptop)) if d.pid()]
    if chosen.processes != laptop.processes and running:
        raise OpsError(
            f"Running with other settings: {' and '.join(running)}.",
            "python -m ops down, then up with the new ones.",
        )
    return chosen


def _set_aside_unsaved(laptop: Laptop) -> None:
    """Start empty, without deleting what an emulator left that never saved its state."""
    if emulator.daemon(laptop).pid() is None and emulator.holds_unsaved(laptop):
        task_agent.stop(laptop)
        mlflow_server.stop(laptop)
        kept = emulator.set_aside(laptop)
        mlflow_server.set_aside(laptop, kept)
        task_agent.forget(laptop)
        write_line(
            "The last emulator ended before it could save its state, so this one starts empty. "
            f"The old files are in {kept}; delete them when you don't need them."
        )


def save_state(laptop: Laptop) -> None:
    """Have the emulator save its state, which it would do at an orderly end only.

    From then on an emulator that is killed, or a full disk, can't separate objects from stacks.
    """
    began = time.time()
    if not emulator.save(laptop) and emulator.has_state(laptop):
        return  # an older checkout started it, and it may have work under way
    if not emulator.saved_since(laptop, began):
        raise OpsError(
            f"The emulator can't save its state in {laptop.folder}.",
            f"Read {emulator.daemon(laptop).log}, make sure that the disk has room, then run the "
            "command again.",
        )


def _describe(laptop: Laptop) -> str:
    others = [name for name in laptop.contracts if name != laptop.name]
    beside = f" It is beside {', '.join(others)}." if others else ""
    return f"Everything is running; this is {laptop.name}.{beside}"


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
            "Free some space, or choose another folder with --local DIR.",
        )
