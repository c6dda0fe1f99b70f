"""The MLflow tracking server as a background process of this machine."""

import http.client
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from domain import keys
from domain.deployment import Deployment
from ops.errors import OpsError
from ops.laptop import ROOT, Laptop
from ops.local.processes import Daemon, describe_port_owner, port_taken, wait_until

PATIENCE_SECONDS = 180.0
"""With a database that isn't up yet the server keeps trying that long."""


def daemon(laptop: Laptop) -> Daemon:
    """The server's process."""
    return Daemon("mlflow", laptop.folder)


def check_port(laptop: Laptop) -> None:
    """Refuse a port that somebody else uses, before anything is started; raises OpsError.

    Workers whose leader was killed are ended first: they would keep the port.
    """
    server = daemon(laptop)
    if server.pid() is None:
        server.end_remains()
        if port_taken(laptop.mlflow_port):
            raise OpsError(
                f"Port {laptop.mlflow_port} is taken by {describe_port_owner(laptop.mlflow_port)}.",
                "Stop that process, or choose another port: python -m ops up --mlflow-port 5001",
            )


def start(laptop: Laptop, deployment: Deployment, environ: Mapping[str, str]) -> bool:
    """Start it with its artifacts in the models bucket; False when it already ran.

    It answers some seconds later: see `wait`.
    """
    server = daemon(laptop)
    if server.pid() is not None:
        return False
    check_port(laptop)
    artifacts = f"s3://{deployment.models_bucket}/{keys.MLFLOW}".rstrip("/")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(laptop.mlflow_port), "--workers", "1"]
    command += ["--default-artifact-root", artifacts, "--no-serve-artifacts"]
    server.start(command, env=server_env(laptop, environ), cwd=ROOT)
    return True


def stop(laptop: Laptop) -> bool:
    """End it; True when it was running."""
    return daemon(laptop).stop()


def wait(laptop: Laptop) -> None:
    """Wait until it answers; raises OpsError."""
    server = daemon(laptop)
    wait_until(lambda: healthy(laptop) or server.pid() is None, seconds=PATIENCE_SECONDS, pause=0.3)
    if not healthy(laptop):
        raise OpsError(
            f"MLflow doesn't start; its log ends with: {server.last_line() or 'nothing'}",
            f"Read {server.log}, then: python -m ops down, and python -m ops up",
        )


def server_env(laptop: Laptop, environ: Mapping[str, str]) -> dict[str, str]:
    """Build its environment, with the database URL: arguments would show its password."""
    database = laptop.mlflow_db or f"sqlite:///{laptop.folder / 'mlflow.db'}"
    hosts = [f"{name}:{laptop.mlflow_port}" for name in ("localhost", "127.0.0.1")]
    return laptop.env(environ) | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts),
        # 2 processes instead of 10.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONUNBUFFERED": "1",
    }


def remove_deployment(laptop: Laptop, base: str) -> int:
    """Delete what a deployment has in MLflow for good; returns the number of its experiments.

    `base` is how the names of its models begin. In MLflow's trash an experiment would keep its
    name, and the next deployment of that name would find it there. Raises OpsError.
    """
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    wait(laptop)
    client = MlflowClient(tracking_uri=laptop.mlflow_url, registry_uri=laptop.mlflow_url)
    for model in client.search_registered_models(f"name LIKE '{base}-%'"):
        client.delete_registered_model(model.name)
    found = client.search_experiments(ViewType.ALL, filter_string=f"name LIKE '{base}-%'")
    for experiment in found:
        if experiment.lifecycle_stage == "active":
            client.delete_experiment(experiment.experiment_id)
    if found:
        _empty_trash(laptop, [experiment.experiment_id for experiment in found])
    return len(found)


def _empty_trash(laptop: Laptop, experiments: Sequence[str]) -> None:
    """Have MLflow delete experiments that are in its trash; raises OpsError."""
    # Its options come from the environment, too: arguments would show the database's password.
    program = "from mlflow.cli import gc; gc(auto_envvar_prefix='MLFLOW')"
    done = subprocess.run(
        [sys.executable, "-c", program, "--experiment-ids", ",".join(experiments)],
        env=server_env(laptop, os.environ) | {"MLFLOW_TRACKING_URI": laptop.mlflow_url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise OpsError(f"MLflow can't empty its trash: {lines[-1]}", "python -m ops remove --yes")


def forget(laptop: Laptop) -> None:
    """Remove the SQLite registry, whose models were in an emulator that no longer exists."""
    for path in laptop.folder.glob("mlflow.db*"):
        path.unlink()


def set_aside(laptop: Laptop, folder: Path) -> None:
    """Move the SQLite registry to a folder, beside the emulator's files that it belongs to."""
    for path in laptop.folder.glob("mlflow.db*"):
        path.rename(folder / path.name)


def healthy(laptop: Laptop) -> bool:
    """Whether it answers."""
    try:
        with urllib.request.urlopen(f"{laptop.mlflow_url}/health", timeout=2) as answer:
            return bool(answer.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False
