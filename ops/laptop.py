"""This machine as a place to deploy to: its folder, its ports, its credentials.

A folder holds any number of deployments. They share its emulator, its MLflow server and its task
agent.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from domain import typed_json
from domain.deployment import DEFAULT_NAME

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: where the CDK application and the jobs' packages are."""

FOLDER_VARIABLE = "OPS_LOCAL"
"""The variable that stands for ``--local``."""

STAGE = "dev"
ACCOUNT = "000000000000"
REGION = "us-east-1"
AWS_PORT = 4566
MLFLOW_PORT = 5000


@dataclass(frozen=True, slots=True)
class _Settings:
    """What ``laptop.json`` holds."""

    aws_port: int = AWS_PORT
    mlflow_port: int = MLFLOW_PORT
    mlflow_db: str = ""
    contracts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """The ports and the folder of everything that runs here, and one of its deployments."""

    folder: Path
    aws_port: int = AWS_PORT
    mlflow_port: int = MLFLOW_PORT
    name: str = DEFAULT_NAME
    """Of the deployment that a command works on."""
    mlflow_db: str = ""
    """Database URL of the tracking server; empty: SQLite in the folder."""
    contracts: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Every deployment of the folder → path of its contract; empty: not deployed yet."""

    @property
    def contract(self) -> str:
        """Path of the contract that was deployed last; empty before the first deployment."""
        return self.contracts.get(self.name, "")

    @property
    def processes(self) -> Mapping[str, int | str]:
        """The settings of emulator and MLflow, which all deployments share."""
        names = ("aws_port", "mlflow_port", "mlflow_db")
        return {name: getattr(self, name) for name in names}

    @property
    def endpoint(self) -> str:
        """The emulator as programs reach it."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def public_endpoint(self) -> str:
        """The emulator as people reach it; report pages live on the other origin."""
        return f"http://localhost:{self.aws_port}"

    @property
    def mlflow_url(self) -> str:
        """The tracking server."""
        return f"http://127.0.0.1:{self.mlflow_port}"

    def aws_env(self) -> dict[str, str]:
        """Variables that send boto3 and the CDK to the emulator, whatever files the user has."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Settings such as use_accelerate_endpoint would reach the emulator from these files.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def contract_file(self) -> Path:
        """The contract of the last `up`, or the project's own."""
        return Path(self.contract or ROOT / "contract.toml")

    def env(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Environment of a process on this machine, made from the user's.

        It has no profile or session of the user's, and no proxy between this machine and itself.
        """
        foreign = ("AWS_", "CDK_")
        kept = {name: value for name, value in environ.items() if not name.startswith(foreign)}
        here = "localhost,127.0.0.1"
        proxies = {
            name: f"{kept[name]},{here}" if kept.get(name) else here
            for name in ("NO_PROXY", "no_proxy")
        }
        return kept | proxies | self.aws_env()

    def named(self, name: str) -> "Laptop":
        """The same machine with another of its deployments."""
        return replace(self, name=name)

    def with_contract(self, path: str) -> "Laptop":
        """The same with this deployment's contract."""
        return replace(self, contracts={**self.contracts, self.name: path})

    def without_deployment(self) -> "Laptop":
        """The same machine without this deployment."""
        left = {name: path for name, path in self.contracts.items() if name != self.name}
        return replace(self, contracts=left)

    def save(self) -> None:
        """Keep the settings for the commands that follow, in one step or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Only the owner may read it: the database URL may hold a password.
        handle, part = tempfile.mkstemp(dir=self.folder, prefix=".laptop-", suffix=".json")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({**self.processes, "contracts": {**self.contracts}}, file, indent=2)
            Path(part).replace(self._file(self.folder))
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, folder: Path) -> "Laptop":
        """The settings of the last `up`; the defaults when there was none.

        Its deployment is the default one, or the oldest where that one is not there.
        """
        try:
            found = json.loads(cls._file(folder).read_text())
            if "name" in found:  # written when a folder held one deployment
                found["contracts"] = {found.pop("name"): found.pop("contract", "")}
            settings = typed_json.decode(_Settings, found)
        except (OSError, ValueError, TypeError):
            return cls(folder=folder)
        laptop = cls(
            folder=folder,
            aws_port=settings.aws_port,
            mlflow_port=settings.mlflow_port,
            mlflow_db=settings.mlflow_db,
            contracts=settings.contracts,
        )
        others = [name for name in laptop.contracts if name != DEFAULT_NAME]
        default = not others or DEFAULT_NAME in laptop.contracts
        return laptop.named(DEFAULT_NAME if default else others[0])

    @staticmethod
    def _file(folder: Path) -> Path:
        return folder / "laptop.json"
