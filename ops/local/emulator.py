"""The AWS emulator (MiniStack) as a background process of this machine, without Docker."""

import http.client
import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from ops.errors import OpsError
from ops.laptop import ACCOUNT, REGION, ROOT, Laptop
from ops.local.processes import Daemon, port_taken, wait_until

PATIENCE_SECONDS = 60.0


def daemon(laptop: Laptop) -> Daemon:
    """The emulator's process."""
    return Daemon("emulator", laptop.folder)


def start(laptop: Laptop, environ: Mapping[str, str]) -> bool:
    """Start it and wait until it answers; False when it already ran. Raises OpsError."""
    emulator = daemon(laptop)
    if emulator.pid() is not None:
        _await(laptop)
        return False
    if port_taken(laptop.aws_port):
        raise OpsError(
            f"Port {laptop.aws_port} is taken by another program.",
            "Stop that program, or choose another port: python -m ops up --port 4567",
        )
    if not has_state(laptop):
        forget(laptop)  # objects of an emulator that died before it could save where they belong
    command = [sys.executable, "-m", "ministack"]
    emulator.start(command, env=emulator_env(laptop, environ), cwd=ROOT)
    _await(laptop)
    return True


def stop(laptop: Laptop) -> bool:
    """End it; True when it was running."""
    return daemon(laptop).stop()


def emulator_env(laptop: Laptop, environ: Mapping[str, str]) -> dict[str, str]:
    """Its environment: nothing of the user's AWS set-up, files in the laptop's folder only."""
    return laptop.env(environ) | {
        "GATEWAY_PORT": str(laptop.aws_port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        # With an engine in reach it would pull images: this points it at none.
        "DOCKER_HOST": "unix:///nonexistent",
        "LAMBDA_EXECUTOR": "local",
        # Objects are written through, all else is saved at an orderly end. After a hard one the
        # last saved state and the objects still fit together: the stacks are deployed again.
        "S3_PERSIST": "1",
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(laptop.folder / "emulator" / "s3"),
        "STATE_DIR": str(_state(laptop)),
        "TMPDIR": _temporary(laptop),
        # Both would open a port of their own.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "PYTHONUNBUFFERED": "1",
    }


def healthy(laptop: Laptop) -> bool:
    """Whether a MiniStack answers on the port."""
    try:
        with urllib.request.urlopen(f"{laptop.endpoint}/_ministack/health", timeout=2) as answer:
            return "services" in json.load(answer)
    except (urllib.error.URLError, http.client.HTTPException, ValueError, OSError):
        return False


def has_state(laptop: Laptop) -> bool:
    """Whether an emulator that ran before saved its state."""
    return (_state(laptop) / "s3.json").exists()


def forget(laptop: Laptop) -> None:
    """Remove everything that a stopped emulator kept: stacks, data, models, logs."""
    shutil.rmtree(laptop.folder / "emulator", ignore_errors=True)


def _state(laptop: Laptop) -> Path:
    return laptop.folder / "emulator" / "state"


def _temporary(laptop: Laptop) -> str:
    folder = laptop.folder / "emulator" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _await(laptop: Laptop) -> None:
    emulator = daemon(laptop)
    wait_until(
        lambda: healthy(laptop) or emulator.pid() is None, seconds=PATIENCE_SECONDS, pause=0.2
    )
    if not healthy(laptop):
        raise OpsError(
            f"The emulator doesn't start; its log ends with: {emulator.last_line() or 'nothing'}",
            f"Read {emulator.log}, then: python -m ops down && python -m ops up",
        )
