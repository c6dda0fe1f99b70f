"""Other ways to serve the model: MLflow in a process, MLflow over HTTP, Flask over HTTP."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.laptop import ROOT
from ops.local.processes import free_port

START_SECONDS = 180

FIRST_ANSWER = """
import json, sys
import mlflow.pyfunc
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
frame = pd.DataFrame(**json.loads(sys.argv[2])).astype("float32")
print(float(model.predict(frame)[0]), flush=True)
"""


def cold_pyfunc_seconds(model: Path, split: Mapping[str, object]) -> float:
    """Measure the time from the start of a process to the first answer of `mlflow.pyfunc`."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", FIRST_ANSWER, str(model), json.dumps(split)],
        env=_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        process.kill()
    float(line)  # an answer came
    return seconds


@contextmanager
def mlflow_server(model: Path) -> Iterator[http.client.HTTPConnection]:
    """Run ``mlflow models serve`` in this environment."""
    port = free_port()
    options = ("-m", str(model), "-p", str(port), "--env-manager", "local", "-h", "127.0.0.1")
    command = [sys.executable, "-m", "mlflow", "models", "serve", *options]
    with _serving(command, port) as connection:
        yield connection


@contextmanager
def flask_server(folder: Path) -> Iterator[http.client.HTTPConnection]:
    """Run the hand-made service of `flask_app`."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.flask_app", str(folder), str(port)]
    with _serving(command, port) as connection:
        yield connection


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> Any:
    """Send a request that must succeed, and return the decoded answer."""
    headers = {"Content-Type": "application/json"}
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
    except (ConnectionError, http.client.HTTPException):  # the server closed an idle connection
        connection.close()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {text[:300]!r}")
    return json.loads(text)


@contextmanager
def _serving(command: Sequence[str], port: int) -> Iterator[http.client.HTTPConnection]:
    process = subprocess.Popen(
        command,
        env=_env(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _connected(port, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _connected(port: int, process: "subprocess.Popen[bytes]") -> http.client.HTTPConnection:
    """Wait until a server answers ``/ping``, and return a connection to it."""
    for _ in range(START_SECONDS * 4):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}.")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/ping")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return connection
        except (OSError, http.client.HTTPException):
            connection.close()
        time.sleep(0.25)
    raise RuntimeError(f"{process.args!r} did not start within {START_SECONDS} seconds.")


def _env() -> dict[str, str]:
    """Build the environment: one thread, and the scripts of this Python on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return dict(os.environ) | {"OMP_NUM_THREADS": "1", "PATH": path}
