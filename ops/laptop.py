"""This machine as a place to deploy to: its folder, its ports, its credentials."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from domain.deployment import DEFAULT_NAME

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: where the CDK application and the jobs' packages are."""

STAGE = "dev"
ACCOUNT = "000000000000"
REGION = "us-east-1"
AWS_PORT = 4566
MLFLOW_PORT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """The ports and the folder of everything that runs here."""

    folder: Path
    aws_port: int = AWS_PORT
    mlflow_port: int = MLFLOW_PORT
    name: str = DEFAULT_NAME
    """Of the deployment; a folder holds one."""
    mlflow_db: str = ""
    """Database URL of the tracking server; empty: SQLite in the folder."""
    contract: str = field(default="", compare=False)
    """Path of the contract that is deployed; empty: the checkout's."""

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

    def save(self) -> None:
        """Keep the settings for the commands that follow, in one step or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = {key: value for key, value in asdict(self).items() if key != "folder"}
        # Only the owner may read it: the database URL may hold a password.
        handle, part = tempfile.mkstemp(dir=self.folder, prefix=".laptop-", suffix=".json")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(fields, file, indent=2)
            Path(part).replace(self._file(self.folder))
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, folder: Path) -> "Laptop":
        """The settings of the last `up`; the defaults when there was none."""
        try:
            return cls(folder=folder, **json.loads(cls._file(folder).read_text()))
        except (OSError, ValueError, TypeError):
            return cls(folder=folder)

    @staticmethod
    def _file(folder: Path) -> Path:
        return folder / "laptop.json"
