"""Settings of a deployment, parsed from the CDK context."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.deployment import DEFAULT_NAME, BadName, Names
from domain.errors import BadContract
from domain.packed_text import pack
from stacks.stage import SettingsError, Stage

TargetName = Literal["aws", "emulator"]
TARGETS: tuple[TargetName, ...] = ("aws", "emulator")
PROGRAM = "ops"
"""The operator's command line, where the checkout's programs are on the PATH."""
EMULATOR_MAIL = "mlops@example.org"
"""Mail on the emulator goes into its own mailbox, so any address does."""

MAXIMUM_CONTEXT = 3_000
"""Bytes; the environment of a function holds 4 KB, and has other variables too."""
MAXIMUM_CONTRACT = 50_000
"""Bytes, packed; ECS takes 64 KiB as the definition of a task, and the rest of ours takes 4 KB."""

_MAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s.,;<>]+")
_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the stacks need to know about a deployment.

    `tracking` is the deployment whose tracking server it uses, itself unless the context names one.
    `contract_text` is the TOML that `contract` was parsed from, packed for the tasks' environment.
    `context_text` is what functions get of it: its context columns and the segments that they
    define. `endpoint`, `mlflow_url` and `operator` are for target `emulator` only: where people
    reach the emulator, and tasks the tracking server, and how people call the command line.
    """

    names: Names
    tracking: Names
    stage: Stage
    target: TargetName
    contract: Contract
    contract_text: str
    context_text: str
    endpoint: str
    mlflow_url: str
    operator: str
    mail_from: str
    mail_to: str

    @classmethod
    def from_context(cls, get: Callable[[str], Any], root: Path) -> Self:
        """Parse the context. `get` returns a key's value or None; `root` is the repository.

        Raises SettingsError with one sentence about the first mistake.
        """
        target = _one_of("target", get("target") or "aws", TARGETS)
        name = str(get("name") or DEFAULT_NAME)
        own = {**_own_settings(name, get("deployments")), **_changes(get("settings"))}
        stage = _stage(str(get("stage") or "dev"), get("stages"), own)
        _check_sign_in(name, stage)
        text = _contract_text(root / str(get("contract") or stage.contract))
        contract = _contract(text)
        mail_from = _mail("mail_from", get("mail_from") or _default_mail(target))
        return cls(
            names=_names("name", name, stage),
            tracking=_names("tracking", str(get("tracking") or stage.tracking or name), stage),
            stage=stage,
            target=target,
            contract=contract,
            contract_text=_pack_contract(text),
            context_text=_context_text(contract),
            endpoint=_url("endpoint", get("endpoint") or "http://localhost:4566"),
            mlflow_url=_url("mlflow_url", get("mlflow_url") or "http://127.0.0.1:5000"),
            operator=str(get("operator") or PROGRAM),
            mail_from=mail_from,
            mail_to=_mail("mail_to", get("mail_to") or mail_from),
        )

    @property
    def has_login(self) -> bool:
        """Whether people sign in."""
        return self.stage.login != "none"

    @property
    def shares_tracking(self) -> bool:
        """Whether the tracking server is another deployment's; an emulator's is a process."""
        return self.target == "aws" and self.tracking != self.names


def _one_of(key: str, value: Any, choices: tuple[TargetName, ...]) -> TargetName:
    if value not in choices:
        raise SettingsError(f"Unknown {key}: write -c {key}= one of {', '.join(choices)}.")
    return cast(TargetName, value)


def _own_settings(name: str, deployments: Any) -> Mapping[str, Any]:
    """A deployment's settings in cdk.json, which replace those of any stage."""
    listed = deployments or {}
    own = listed.get(name, {}) if isinstance(listed, Mapping) else None
    if not isinstance(own, Mapping):
        raise SettingsError(f"Deployment {name} in cdk.json must be an object of settings.")
    return own


def _stage(name: str, stages: Any, changed: Mapping[str, Any]) -> Stage:
    """A stage of cdk.json; `changed`: settings that replace the stage's."""
    if not isinstance(stages, Mapping) or not stages:
        raise SettingsError("cdk.json names no stages: it needs context.stages.")
    if name not in stages:
        raise SettingsError(f"Unknown stage: write -c stage= one of {', '.join(stages)}.")
    if not isinstance(stages[name], Mapping):
        raise SettingsError(f"Stage {name} in cdk.json must be an object of settings.")
    return Stage.parse(name, {**stages[name], **changed})


def _changes(text: Any) -> Mapping[str, Any]:
    """A JSON object of settings that replace the others."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise SettingsError(
            "The settings that replace the stage's must be a JSON object, such as"
            ' {"approval": true}.'
        )
    return found


def _names(key: str, name: str, stage: Stage) -> Names:
    try:
        return Names(name=name, stage=stage.name)
    except BadName:
        raise SettingsError(
            f"The deployment's name can't be used: write -c {key}=NAME, 1 to 16 lower-case letters"
            " and digits, the first one a letter."
        ) from None


def _check_sign_in(name: str, stage: Stage) -> None:
    """Refuse a name that the hosted page's address can't contain; raises SettingsError."""
    reserved = [word for word in ("aws", "amazon", "cognito") if word in f"{name}-{stage.name}"]
    if stage.login != "none" and reserved:
        raise SettingsError(
            f"Cognito refuses {reserved[0]!r} in the address of its sign-in page: give the"
            " deployment and the stage names without it, or set login to none."
        )


def _default_mail(target: TargetName) -> str:
    if target == "emulator":
        return EMULATOR_MAIL
    raise SettingsError(
        "The address that sends and gets the drift mails is missing: write -c mail_from=ADDRESS."
    )


def _mail(key: str, value: Any) -> str:
    if not isinstance(value, str) or not _MAIL.fullmatch(value):
        raise SettingsError(
            f"{key} is not a mail address: write -c {key}=name@example.org, one address."
        )
    return value


def _url(key: str, value: Any) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise SettingsError(f"{key} is not a URL: write -c {key}=http://HOST:PORT.")
    return value.rstrip("/")


def _contract_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"The contract {path} can't be read: write -c contract=PATH of a TOML file, or name"
            " it as `contract` of the stage in cdk.json."
        ) from None


def _contract(text: str) -> Contract:
    try:
        return Contract.parse(text)
    except BadContract as error:
        raise SettingsError(str(error)) from None


def _pack_contract(text: str) -> str:
    packed = pack(text)
    if len(packed) > MAXIMUM_CONTRACT:
        raise SettingsError(
            f"The contract takes {len(packed):,} bytes, compressed, and the definition of a task"
            f" has room for {MAXIMUM_CONTRACT:,}: list the frequent categories and let other = true"
            " collect the rest."
        )
    return packed


def _context_text(contract: Contract) -> str:
    text = DeployedContext.of(contract).to_text()
    size = len(text.encode())
    if size > MAXIMUM_CONTEXT:
        raise SettingsError(
            f"The contract's [[context]] and the names of its features take {size:,} bytes, and the"
            f" environment of a function has room for {MAXIMUM_CONTEXT:,}: shorten the categories"
            " of context columns, make one with many of them a text, or have fewer features."
        )
    return text
