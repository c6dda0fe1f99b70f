"""This machine as a place to deploy to: its folder, its ports, its credentials."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: where the CDK application and the jobs' packages are."""

STAGE = "dev"
ACCOUNT = "000000000000"
REGION = "us-east-1"
AWS_PORT = 4566
MLFLOW_PORT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """Everything that runs here, and keeps its files in `folder`."""

    folder: Path
    aws_port: int = AWS_PORT
    mlflow_port: int = MLFLOW_PORT
    mlflow_db: str = ""
    """Database URL of the tracking server; empty: SQLite in the folder."""

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
        """What sends boto3 and the CDK to the emulator, whatever profile the user has."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def env(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` as a process gets it here: no profile or session of the user's, no proxy
        between this machine and itself.
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
        """Remember ports and database for the commands that follow."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = {key: value for key, value in asdict(self).items() if key != "folder"}
        file = self._file(self.folder)
        file.touch(mode=0o600)  # the database URL may hold a password
        file.write_text(json.dumps(fields, indent=2))

    @classmethod
    def load(cls, folder: Path) -> "Laptop":
        """What the last `up` chose; the defaults when there was none."""
        try:
            return cls(folder=folder, **json.loads(cls._file(folder).read_text()))
        except (OSError, ValueError, TypeError):
            return cls(folder=folder)

    @staticmethod
    def _file(folder: Path) -> Path:
        return folder / "laptop.json"
