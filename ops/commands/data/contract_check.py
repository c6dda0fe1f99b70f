"""`contract check`: what is wrong with a contract, and what deploying it would change."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from domain.contract_difference import find_unretired
from domain.plural import write_count
from ops.console import Answer
from ops.contract_changes import (
    describe,
    find_differences,
    find_file,
    parse_contract,
    read_deployed_contract,
    write_deploy_command,
)
from ops.errors import OpsError
from ops.target import Target


def run(
    target: Target,
    file: Annotated[
        Path | None, Argument(help="The contract (the one that this deployment was given).")
    ] = None,
    *,
    retire: Annotated[
        bool, Option("--retire", help="Add features that are gone to [[retired]] in the file.")
    ] = False,
) -> Answer:
    """Say what is wrong with a contract, and what it would change.

    It is compared with the contract that is deployed, if one is. The differences say what callers,
    files, log and model would notice. Nothing is deployed.
    """
    file = file or find_file(target)
    wanted = parse_contract(file)
    unknown = ""
    try:
        deployed = read_deployed_contract(target)
    except OpsError as error:  # the contract alone can be checked without a deployment
        deployed, unknown = None, f" It was compared with nothing: {error}"
    if deployed is None:
        features = write_count(len(wanted.features), "feature")
        return Answer(
            data={"deployed": False, "differences": []},
            shown=[f"{file} can be deployed: it predicts {wanted.target} by {features}.{unknown}"],
            next_step=write_deploy_command(target, file),
        )
    is_another_model = wanted.target != deployed.target
    unretired = [] if is_another_model else find_unretired(deployed, wanted)
    if retire and unretired:
        entries = "".join(
            f'\n[[retired]]\nname = "{feature.name}"\nkind = "{feature.kind}"\n'
            for feature in unretired
        )
        file.write_text(f"{file.read_text(encoding='utf-8').rstrip()}\n{entries}", encoding="utf-8")
        wanted, unretired = parse_contract(file), []
    differences = find_differences(target, deployed, wanted)
    refused = any(difference.effect == "refused" for difference in differences)
    next_step = "" if wanted == deployed else write_deploy_command(target, file)
    if refused and is_another_model:
        next_step = _name_another(target, file)
    elif refused and unretired:
        next_step = f"python -m ops contract check {shlex.quote(str(file))} --retire"
    return Answer(
        data={"deployed": True, "differences": [asdict(found) for found in differences]},
        shown=[*describe(differences)] or [_describe_nothing(file, same=wanted == deployed)],
        next_step=next_step,
        status=1 if refused else 0,
    )


def _describe_nothing(file: Path, *, same: bool) -> str:
    """The sentence for a contract that changes nothing for anybody."""
    if same:
        return f"{file} says what is deployed already."
    return f"No model serves yet, so {file} can take the place of the contract that is deployed."


def _name_another(target: Target, file: Path) -> str:
    """How to deploy the contract beside this deployment."""
    if target.laptop is not None:
        return f"python -m ops up --name NAME --contract {shlex.quote(str(file))}"
    return write_deploy_command(target.named("NAME"), file)
