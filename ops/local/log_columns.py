"""Check that a new contract keeps a column in the log for everything that the champion logs."""

import shlex
from pathlib import Path

from domain.contract.contract import Contract
from domain.errors import BadBundle, BadContract
from ops.errors import OpsError
from ops.target import Target


def check(target: Target, contract: Path) -> None:
    """Refuse a contract without a column for a feature that the champion still logs.

    Raises OpsError. Without a whole deployment, a champion, or a bundle that can be loaded there is
    nothing to compare; a contract that can't be used is refused by the deployment.
    """
    try:
        champion = target.champion() if target.read_deployment() else None
    except OpsError:
        champion = None
    if champion is None:
        return
    try:
        serving = target.models.load_bundle(champion.model).contract
        wanted = Contract.parse(contract.read_text(encoding="utf-8"))
    except (BadBundle, BadContract, UnicodeDecodeError):
        return
    lost = wanted.lost_columns(serving)
    if not lost:
        return
    problem = (
        f"Champion {champion.version} still logs what the new contract has no column for:"
        f" {', '.join(lost)}."
    )
    if _is_another_task(wanted, serving):
        path, name = shlex.quote(str(contract)), target.name
        raise OpsError(
            f"{problem} The contract is for another prediction task.",
            f"Add a deployment beside this one: python -m ops up --name NAME --contract {path}. Or"
            f" give this one up, with its data and models: python -m ops remove --name {name}, then"
            f" python -m ops up --name {name} --contract {path}",
        )
    if moved := [e.name for e in wanted.context if e.name.lower() in lost]:
        raise OpsError(
            f"{problem} A feature can't become a context column of its own name.",
            f"Give {', '.join(moved)} another name under [[context]], and name the old feature"
            " under [[retired]] with its kind.",
        )
    raise OpsError(
        problem,
        "Name each under [[retired]] with its old kind, and give a feature whose kind changed"
        " another name.",
    )


def _is_another_task(wanted: Contract, serving: Contract) -> bool:
    """Whether the two contracts share no target or no feature, so that none can be retired."""
    return wanted.target != serving.target or not set(wanted.names) & set(serving.names)
