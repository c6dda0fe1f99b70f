"""``python -m mlflow_server``: prepare the database, then become MLflow's server.

``python -m mlflow_server health`` checks whether the server on this machine answers. It does not
check the database, because restarting the server would not bring a database back.
"""

import argparse
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import NoReturn

from domain.errors import DomainError
from mlflow_server.settings import SECRET_PARTS, Database, Settings

WORKERS = 1  # each is a process of 0.4 GB


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command. `serve` returns only if it fails."""
    parser = argparse.ArgumentParser(prog="python -m mlflow_server", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "health"), default="serve")
    command = parser.parse_args(arguments).command
    try:
        settings = Settings.from_env(environ)
        if command == "health":
            return 0 if is_alive(settings.port) else 1
        _serve(settings, Database.from_env(environ), environ)
    except DomainError as error:
        return _fail(str(error))


def _serve(settings: Settings, database: Database, environ: Mapping[str, str]) -> NoReturn:
    from mlflow_server.database import build_url, migrate

    address = build_url(database, settings)
    migrate(address, patience_seconds=settings.patience_seconds)
    environment = build_environment(
        settings, environ, store_uri=address.render_as_string(hide_password=False)
    )
    sys.stdout.flush()
    command = [sys.executable, *build_command(settings)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - arguments of our own


def build_command(settings: Settings) -> list[str]:
    """Build the interpreter's arguments; they contain no secret."""
    command = ["-m", "mlflow", "server", "--host", settings.host, "--port", str(settings.port)]
    command += ["--workers", str(WORKERS)]
    return [*command, "--default-artifact-root", settings.artifact_root, "--no-serve-artifacts"]


def build_environment(
    settings: Settings, environ: Mapping[str, str], *, store_uri: str
) -> dict[str, str]:
    """Build the server's environment: our own without the parts of the secret."""
    parts = {name.upper() for name in SECRET_PARTS}
    return {name: value for name, value in environ.items() if name not in parts} | {
        "MLFLOW_BACKEND_STORE_URI": store_uri,
        "MLFLOW_SERVER_ALLOWED_HOSTS": settings.allowed_hosts,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 10
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def is_alive(port: int) -> bool:
    """Return whether the server on this machine answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - a container's log
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
