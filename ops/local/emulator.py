"""The AWS emulator (MiniStack) as a background process of this machine, without Docker."""

import http.client
import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from ops.errors import OpsError
from ops.laptop import ACCOUNT, REGION, ROOT, Laptop
from ops.local.emulator_process import SAVE_PATH
from ops.local.processes import Daemon, describe_port_owner, port_taken, wait_until

PATIENCE_SECONDS = 60.0
SAVE_SECONDS = 60.0


def daemon(laptop: Laptop) -> Daemon:
    """The emulator's process."""
    return Daemon("emulator", laptop.folder)


def require_own(laptop: Laptop) -> None:
    """Raise OpsError unless this folder's own emulator runs, whatever else uses its port.

    Its process is recognised by the lock in this folder: the emulator of another checkout, even on
    the same port, holds the lock of another folder.
    """
    if daemon(laptop).pid() is not None:
        return
    if port_taken(laptop.aws_port):
        owner = describe_port_owner(laptop.aws_port)
        raise OpsError(
            f"The emulator of {laptop.folder} doesn't run; its port {laptop.aws_port} is used by "
            f"{owner}.",
            "Stop that process, or choose another port: python -m ops up --port 4567",
        )
    raise OpsError("The emulator doesn't run.", "python -m ops up")


def check_port(laptop: Laptop) -> None:
    """Refuse a port that somebody else uses, before anything is started; raises OpsError."""
    emulator = daemon(laptop)
    if emulator.pid() is None:
        emulator.end_remains()
        if port_taken(laptop.aws_port):
            raise OpsError(
                f"Port {laptop.aws_port} is taken by {describe_port_owner(laptop.aws_port)}.",
                "Stop that process, or choose another port: python -m ops up --port 4567",
            )


def start(laptop: Laptop, environ: Mapping[str, str]) -> bool:
    """Start it and wait until it answers; False when it already ran. Raises OpsError."""
    emulator = daemon(laptop)
    if emulator.pid() is not None:
        _await(laptop)
        return False
    check_port(laptop)
    command = [sys.executable, "-m", "ops.local.emulator_process"]
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
        # It would pull images if it found a Docker engine: here it finds none.
        "DOCKER_HOST": "unix:///nonexistent",
        "LAMBDA_EXECUTOR": "local",
        # Objects are written at once, everything else is saved at an orderly end. After a hard end
        # the last saved state and the objects still fit together: the stacks are deployed again.
        "S3_PERSIST": "1",
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(_files(laptop) / "s3"),
        "STATE_DIR": str(_state(laptop).parent),
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
    return _state(laptop).exists()


def save(laptop: Laptop) -> bool:
    """Have it save its state now; False if it knows no such request.

    `saved_since` says whether it could.
    """
    request = urllib.request.Request(f"{laptop.endpoint}{SAVE_PATH}", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=SAVE_SECONDS) as answer:
            return bool(answer.status == http.HTTPStatus.NO_CONTENT)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def saved_since(laptop: Laptop, instant: float) -> bool:
    """Whether the state was saved, whole, after that instant in Unix seconds."""
    try:
        if _state(laptop).stat().st_mtime < instant:
            return False
        json.loads(_state(laptop).read_text())
    except (OSError, ValueError):
        return False
    return True


def holds_unsaved(laptop: Laptop) -> bool:
    """Return whether the folder has objects of an emulator that never saved its state."""
    return not has_state(laptop) and (_files(laptop) / "s3").exists()


def set_aside(laptop: Laptop) -> Path:
    """Move the files of an emulator without saved state to a folder of their own; return it."""
    kept = laptop.folder / f"unsaved-{time.strftime('%Y%m%dT%H%M%S')}"
    kept.mkdir()
    shutil.move(_files(laptop), kept / "emulator")
    return kept


def forget(laptop: Laptop) -> None:
    """Remove everything that a stopped emulator kept: stacks, data, models, logs."""
    shutil.rmtree(_files(laptop), ignore_errors=True)


def _files(laptop: Laptop) -> Path:
    return laptop.folder / "emulator"


def _state(laptop: Laptop) -> Path:
    """The file without which the emulator knows of no bucket."""
    return _files(laptop) / "state" / "s3.json"


def _temporary(laptop: Laptop) -> str:
    folder = _files(laptop) / "tmp"
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
            f"Read {emulator.log}, then: python -m ops down, and python -m ops up",
        )
