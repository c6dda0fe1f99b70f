"""What deploying a contract would change, beside the one that is deployed."""

import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from domain.contract.contract import Contract
from domain.contract_difference import Difference, Effect, compare
from domain.errors import BadContract
from domain.packed_text import unpack
from ops.console import write_line
from ops.errors import OpsError
from ops.laptop import ROOT
from ops.target import Target

VARIABLE = "CONTRACT"
"""The variable of the training task that holds the contract's text."""

HEADINGS: dict[Effect, str] = {
    "refused": "Must change before it can be deployed:",
    "callers": "Callers or files must change:",
    "training": "Comes with the next training:",
    "nothing": "Nobody has to change anything for this:",
}


def read_deployed_contract(target: Target) -> Contract | None:
    """The contract that a stage was deployed with, or None where nothing is deployed yet."""
    definitions = target.resources.names("AWS::ECS::TaskDefinition")
    client = target.client("ecs")
    for name in definitions:
        found = client.describe_task_definition(taskDefinition=name)["taskDefinition"]
        for container in found["containerDefinitions"]:
            for variable in container.get("environment", []):
                if variable["name"] == VARIABLE:
                    return Contract.parse(unpack(variable["value"]))
    return None


def parse_contract(file: Path) -> Contract:
    """Read a contract; raises OpsError with everything that is wrong with it."""
    try:
        return Contract.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OpsError(f"{file} can't be read: {error.strerror}.", "Name another file.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise OpsError(
            f"{file} isn't in UTF-8: line {line} has other bytes.",
            f"Save {file} as UTF-8, then check it again.",
        ) from None
    except BadContract as error:
        raise OpsError(str(error), f"Correct {file}, then check it again.") from None


def find_contract(target: Target, file: Path | None = None) -> Contract:
    """The named contract, else the one of this machine's last `up`, or of the stage.

    Raises OpsError.
    """
    if file is None and target.laptop is None:
        deployed = read_deployed_contract(target)
        if deployed is None:
            raise OpsError(target.nothing_deployed, "Name a contract with --contract.")
        return deployed
    return parse_contract(file or find_file(target))


def find_file(target: Target) -> Path:
    """The contract of this machine's last `up`, or the one that the settings in cdk.json name."""
    if target.laptop is not None:
        return target.laptop.contract_file
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    own = context.get("deployments", {}).get(target.name, {})
    settings: dict[str, str] = context["stages"].get(target.stage, {}) | own
    return ROOT / settings.get("contract", "contract.toml")


def write_deploy_command(target: Target, file: Path) -> str:
    """How to deploy a contract, whether or not the deployment was given it before."""
    command = target.deploy_command
    if file.resolve() == find_file(target).resolve():
        return command
    if target.laptop is not None:
        return f"{command} --contract {shlex.quote(str(file))}"
    return f'{command} ARGS="-c contract={shlex.quote(str(file))}"'


def describe(differences: Iterable[Difference]) -> Iterator[str]:
    """The differences as lines under headings; nothing if there are none."""
    listed = list(differences)
    for effect, heading in HEADINGS.items():
        sentences = [d.sentence for d in listed if d.effect == effect]
        if sentences:
            yield heading
            yield from (f"  {sentence}" for sentence in sentences)


def announce(target: Target, file: Path) -> list[Difference]:
    """Say on stderr what the contract changes, before it is deployed; returns the differences.

    Where nothing whole is deployed, there is nothing to compare with.
    """
    try:
        deployed = read_deployed_contract(target)
    except OpsError:
        deployed = None
    if deployed is None:
        return []
    differences = find_differences(target, deployed, parse_contract(file))
    for line in describe(differences):
        write_line(line)
    return differences


def find_differences(target: Target, deployed: Contract, wanted: Contract) -> list[Difference]:
    """What deploying `wanted` would change.

    Before the first champion any contract may take the place of another: nothing was logged by it.
    """
    differences = compare(deployed, wanted)
    try:
        serves = target.champion() is not None
    except OpsError:  # its pointer can't be read
        serves = True
    return differences if serves else [d for d in differences if d.effect != "refused"]
