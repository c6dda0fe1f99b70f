"""Whether a contract that is about to be deployed keeps a column for all that is logged."""

from pathlib import Path

from domain.contract.contract import Contract
from domain.errors import BadBundle, BadContract, BadRecord
from ops.errors import OpsError
from ops.target import Target


def check(target: Target, contract: Path) -> None:
    """Refuse a contract that forgets features of the champion, which answers on until replaced.

    Raises OpsError. Without a whole deployment, a champion or a bundle that can be loaded, and for
    a contract that can't be used (which the deployment refuses), there is nothing to compare.
    """
    try:
        champion = target.champion() if target.deployed() else None
    except (OpsError, BadRecord):
        champion = None
    if champion is None:
        return
    try:
        serving = target.models.load_bundle(champion.model).contract
        lost = Contract.parse(contract.read_text(encoding="utf-8")).lost_columns(serving)
    except (BadBundle, BadContract, UnicodeDecodeError):
        return
    if lost:
        raise OpsError(
            f"Champion {champion.version} still logs what the new contract has no column for:"
            f" {', '.join(lost)}.",
            "Name each under [[retired]] with its old kind, and give a feature whose kind changed"
            " another name.",
        )
