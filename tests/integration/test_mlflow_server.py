"""The tracking server's entry point against a real Postgres: races, outages, TLS, Host headers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from domain.environment import Environment
from mlflow_server.settings import Database, Settings
from ops.local.processes import free_port, wait_until
from tests.integration import postgres
from tests.integration.postgres import Postgres
from tests.repository import ROOT

PATIENCE = 180.0
CLOUD_MAP = "mlflow.circle-dev.internal"
SPECIAL = "p@ss:w/o%rd?#&= '\"+\\~ü{}"


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("Postgres is not installed here (Debian: apt-get install postgresql).")
    with postgres.running(programs) as server:
        yield server


def parts(server: Postgres, name: str, **changes: str | int) -> Database:
    values: dict[str, str | int] = {
        "database_host": "127.0.0.1",
        "database_port": server.port,
        "database_name": name,
        "database_user": name,
        "database_password": SPECIAL,
    }
    return Database(**(values | changes))  # type: ignore[arg-type]  # each value has its field's type


def settings(server: Postgres, folder: Path, **changes: str | int) -> Settings:
    values: dict[str, str | int] = {
        "artifact_root": str(folder / "artifacts"),
        "allowed_hosts": f"{CLOUD_MAP}:*,localhost:*,127.0.0.1:*",
        "host": "127.0.0.1",
        "port": free_port(),
        "sslrootcert": str(server.ca),
        "patience_seconds": 120,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]  # each value has its field's type


def environ(*groups: Environment) -> dict[str, str]:
    values = {"PATH": os.environ["PATH"], "HOME": str(Path.home())}
    for group in groups:
        values |= group.to_env()
    return values


@dataclass
class Server:
    """A started entry point, maybe not yet up."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=f"http://127.0.0.1:{self.port}")

    def status(self, path: str, host: str) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.get(url, headers={"Host": host}, timeout=20).status_code

    def healthy(self) -> bool:
        command = [sys.executable, "-m", "mlflow_server", "health"]
        own = environ() | {"PORT": str(self.port), "ARTIFACT_ROOT": "-", "ALLOWED_HOSTS": "-"}
        return subprocess.run(command, cwd=ROOT, env=own, check=False).returncode == 0

    def up(self) -> bool:
        """Wait until it answers, or has died."""
        wait_until(
            lambda: self.process.poll() is not None or self.healthy(), seconds=PATIENCE, pause=0.5
        )
        return self.process.poll() is None and self.healthy()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=30)


@contextmanager
def started(database: Database, own: Settings, log: Path) -> Iterator[Server]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow_server"],
            cwd=ROOT,
            env=environ(database, own),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, own.port, log)
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Pair:
    """Two servers that were started at once on one empty database."""

    name: str
    first: Server
    second: Server


@pytest.fixture(scope="module")
def pair(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    name = database.create(password=SPECIAL)
    with (
        started(parts(database, name), settings(database, folder), folder / "1.log") as first,
        started(parts(database, name), settings(database, folder), folder / "2.log") as second,
    ):
        yield Pair(name, first, second)


def test_two_servers_that_start_at_once_on_an_empty_database_both_come_up(pair: Pair) -> None:
    assert (True, True) == (pair.first.up(), pair.second.up())
    experiment = pair.first.client.create_experiment("ours")
    assert "ours" == pair.second.client.get_experiment(experiment).name


def test_only_hosts_on_the_list_are_answered(pair: Pair) -> None:
    assert pair.first.up()
    path = "/api/2.0/mlflow/experiments/search?max_results=1"
    hosts = [f"{CLOUD_MAP}:5000", "localhost:8080", "127.0.0.1:5000", "evil.example.org"]
    assert [200, 200, 200, 403] == [pair.first.status(path, host) for host in hosts]


def test_neither_a_command_line_nor_a_log_shows_the_password(pair: Pair) -> None:
    assert pair.first.up()
    session = pair.first.process.pid
    lines = [
        (entry / "cmdline").read_bytes()
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _session(entry) == session
    ]
    assert any(b"mlflow" in line for line in lines)
    shown = b"\n".join([*lines, pair.first.log.read_bytes(), pair.second.log.read_bytes()])
    assert b"postgresql" not in b"\n".join(lines)
    assert SPECIAL.encode() not in shown


def _session(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def test_a_server_outlives_a_restart_of_its_database(pair: Pair, database: Postgres) -> None:
    assert pair.first.up()
    experiment = pair.first.client.create_experiment("before")
    database.stop()
    assert pair.first.healthy()  # a restart of the container would not bring the database back
    database.start()
    assert wait_until(lambda: _reads(pair.first, experiment), seconds=60)


def _reads(server: Server, experiment: str) -> bool:
    try:
        return bool(server.client.get_experiment(experiment).name == "before")
    except MlflowException:
        return False


def test_a_server_waits_for_its_database_and_finds_what_was_there(
    pair: Pair, database: Postgres, tmp_path: Path
) -> None:
    assert pair.second.up()
    experiment = pair.second.client.create_experiment("kept")
    pair.second.stop()
    database.stop()
    own = settings(database, tmp_path)
    with started(parts(database, pair.name), own, tmp_path / "log") as server:
        waiting = "Waiting for the database"
        assert wait_until(lambda: waiting in server.log.read_text(), seconds=PATIENCE)
        database.start()
        assert server.up()
        assert "kept" == server.client.get_experiment(experiment).name


def refusal(database: Database, own: Settings) -> str:
    """What an entry point that can't use its database says; it must end with status 1."""
    result = subprocess.run(
        [sys.executable, "-m", "mlflow_server"],
        cwd=ROOT,
        env=environ(database, own),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (1, False) == (result.returncode, SPECIAL in result.stdout + result.stderr)
    return result.stderr


def test_a_certificate_that_is_not_in_the_bundle_is_refused(
    database: Postgres, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    postgres.certificate(other)
    own = settings(database, tmp_path, sslrootcert=str(other / "server.crt"), patience_seconds=0)
    said = refusal(parts(database, database.create(password=SPECIAL)), own)
    assert "certificate verify failed" in said


def test_a_server_whose_name_is_not_in_its_certificate_is_refused(
    database: Postgres, tmp_path: Path
) -> None:
    own = settings(database, tmp_path, patience_seconds=0)
    name = database.create(password=SPECIAL)
    said = refusal(parts(database, name, database_host="localhost"), own)
    assert "does not match host name" in said


def test_a_wrong_password_ends_with_a_sentence(database: Postgres, tmp_path: Path) -> None:
    own = settings(database, tmp_path, patience_seconds=0)
    name = database.create(password="another")
    said = refusal(parts(database, name), own)
    assert said.startswith(
        f"The database at 127.0.0.1:{database.port} could not be used within 0 s: "
    )
    assert 1 == said.count("\n")


@pytest.mark.slow
def test_ten_times_two_servers_at_once_survive(database: Postgres, tmp_path: Path) -> None:
    survived = 0
    for number in range(10):
        name = database.create(password=SPECIAL)
        one, two = (settings(database, tmp_path) for _ in range(2))
        with (
            started(parts(database, name), one, tmp_path / f"{number}-1.log") as first,
            started(parts(database, name), two, tmp_path / f"{number}-2.log") as second,
        ):
            survived += first.up() and second.up()
    assert 10 == survived
