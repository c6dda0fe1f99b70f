"""`make images`: the three images as they will run. Needs a Docker engine."""

import subprocess
from collections.abc import Callable

import pytest

from mlflow_server.settings import Database
from mlflow_server.settings import Settings as MlflowSettings
from ops.local.processes import free_port, wait_until
from tests.images.conftest import Image, logs
from tests.integration import postgres

TRAINING = "training"
DRIFT = "drift"
MLFLOW = "mlflow"
ALL = (TRAINING, DRIFT, MLFLOW)
TOOLS = ("cc", "gcc", "g++", "make", "git", "curl", "pip", "pip3", "pip3.13", "uv")

Build = Callable[[str], Image]


@pytest.mark.parametrize(("target", "limit"), [(TRAINING, 1.0), (DRIFT, 1.3), (MLFLOW, 0.9)])
def test_an_image_stays_small(
    image: Build, target: str, limit: float, capsys: pytest.CaptureFixture[str]
) -> None:
    size = image(target).gigabytes
    with capsys.disabled():
        print(  # noqa: T201 - what `make images` is asked for
            f"\n{target:9} {size:.2f} GB (at most {limit} GB)"
        )
    assert size <= limit


@pytest.mark.parametrize(
    ("target", "modules"),
    [
        (
            TRAINING,
            "training_job.steps, training_job.search.tune, training_job.evaluation.evaluate, "
            "mlflow, xgboost",
        ),
        (DRIFT, "lambdas.drift.handler, monitoring_job.reports.reports, evidently, awslambdaric"),
        (MLFLOW, "mlflow_server.database, mlflow.server, psycopg2, boto3"),
    ],
)
def test_everything_it_needs_can_be_imported(image: Build, target: str, modules: str) -> None:
    assert "imported" == image(target).python("-c", f"import {modules}; print('imported')")


@pytest.mark.parametrize("target", ALL)
def test_its_user_is_nobody_and_can_write_nothing_but_tmp(image: Build, target: str) -> None:
    code = (
        "import os, pathlib, tempfile\n"
        "tempfile.TemporaryFile(dir='/tmp').write(b'x')\n"
        "writable = [p for p in ('/', '/app', '/venv', '/etc', '/usr') if os.access(p, os.W_OK)]\n"
        "print(os.getuid(), writable)"
    )
    assert "10001 []" == image(target).python("-c", code)


@pytest.mark.parametrize("target", ALL)
def test_nothing_is_left_to_build_or_install_with(image: Build, target: str) -> None:
    code = (
        "import importlib.util, shutil, sys\n"
        "specs = [importlib.util.find_spec(name) for name in ('pip', 'ensurepip')]\n"
        f"print(sys.prefix != sys.base_prefix, [t for t in {TOOLS} if shutil.which(t)], specs)"
    )
    assert "True [] [None, None]" == image(target).python("-c", code)
    # The interpreter that the environment was made from sees other packages.
    own = image(target).python("-c", "import sys; print(sys._base_executable)")
    assert "False [] [None, None]" == image(target).python("-c", code, program=own)


@pytest.mark.parametrize("target", ALL)
def test_it_runs_the_python_that_the_stacks_name(image: Build, target: str) -> None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    assert "3.13" == image(target).python("-c", code)


@pytest.mark.parametrize(
    ("target", "module"), [(TRAINING, "training_job"), (MLFLOW, "mlflow_server")]
)
def test_a_container_says_how_it_is_used(image: Build, target: str, module: str) -> None:
    said = image(target).python("-m", module, "--help")
    assert f"python -m {module}" in said


def test_the_tracking_server_comes_up_on_a_real_database(image: Build) -> None:
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("Postgres is not installed here (Debian: apt-get install postgresql).")
    with postgres.running(programs) as server:
        name = server.create(password="p@ss/w%rd")
        database = Database(
            database_host="127.0.0.1",
            database_port=server.port,
            database_name=name,
            database_user=name,
            database_password="p@ss/w%rd",
        )
        own = MlflowSettings(
            artifact_root="s3://models/mlflow",
            allowed_hosts="localhost:*",
            port=free_port(),
            sslmode="require",
        )
        with image(MLFLOW).running(database.to_env() | own.to_env()) as container:
            check = ["docker", "exec", container, "python", "-m", "mlflow_server", "health"]

            def healthy() -> bool:
                return subprocess.run(check, capture_output=True, check=False).returncode == 0

            assert wait_until(healthy, seconds=180, pause=1), logs(container)
