"""What a deployment without a champion needs: a training, or an answer to one that ended."""

from domain import keys
from domain.model.champion import Champion
from ops.errors import OpsError
from ops.target import Target

FIRST_TRAINING = "python -m ops upload FILE, then python -m ops train"


def require_champion(target: Target, problem: str = "There is no champion yet.") -> Champion:
    """The champion; raises OpsError with this sentence and the way to a first one."""
    champion = target.champion()
    if champion is None:
        raise OpsError(problem, propose_first_model(target))
    return champion


def find_reasons(target: Target) -> list[tuple[str, str]]:
    """``(version, reason)`` for each reason why the newest model was refused; empty without one."""
    versions = target.models.list_cards()
    card = target.models.read_card(versions[0]) if versions else None
    if card is None or card.verdict is None or card.verdict.promote:
        return []
    return [(versions[0], reason) for reason in card.verdict.reasons]


def propose_first_model(target: Target) -> str:
    """The next step of a deployment in which no model serves yet."""
    versions = target.models.list_cards()
    if not versions:
        has_data = any(
            keys.is_data(found.key, keys.RAW) for found in target.bucket("data").list(keys.RAW)
        )
        return "python -m ops train" if has_data else FIRST_TRAINING
    newest = versions[0]
    if find_reasons(target):
        return (
            f"python -m ops promote {newest} --reason TEXT lets the newest model serve although"
            " the gate refused it. Or change what its reasons name (python -m ops status), then"
            " python -m ops train"
        )
    return (
        f"python -m ops promote {newest} --reason TEXT lets the newest model serve, or"
        " python -m ops train makes another."
    )
