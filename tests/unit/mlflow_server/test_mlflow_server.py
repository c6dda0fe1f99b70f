"""The tracking server's settings, database URL, command and environment."""

from dataclasses import fields

import pytest

from mlflow_server.__main__ import build_command, build_environment, is_alive, main
from mlflow_server.database import build_url
from mlflow_server.settings import SECRET_PARTS, Database, Settings
from ops.local.processes import free_port

SETTINGS = Settings(artifact_root="s3://models/mlflow", allowed_hosts="mlflow.internal:*")
DATABASE = Database(
    database_host="db.example.org",
    database_port=5432,
    database_name="mlflow",
    database_user="mlflow",
    database_password="p@ss:w/o%rd?#&= '\"+\\ü",
)


@pytest.mark.parametrize("group", [SETTINGS, DATABASE])
def test_settings_survive_the_environment(group: Settings | Database) -> None:
    assert type(group).from_env(group.to_env()) == group


def test_each_part_of_the_secret_has_its_key() -> None:
    assert set(SECRET_PARTS) == {field.name for field in fields(Database)}


def test_a_password_with_special_characters_survives_the_url() -> None:
    from sqlalchemy.engine import make_url

    text = build_url(DATABASE, SETTINGS).render_as_string(hide_password=False)
    parsed = make_url(text)
    assert parsed.password == DATABASE.database_password
    assert ("db.example.org", 5432, "mlflow") == (parsed.host, parsed.port, parsed.database)


def test_the_connection_is_verified_in_full_unless_told_otherwise() -> None:
    query = build_url(DATABASE, SETTINGS).query
    assert ("verify-full", "/etc/ssl/rds/bundle.pem") == (query["sslmode"], query["sslrootcert"])
    plain = Settings(artifact_root="-", allowed_hosts="-", sslmode="require")
    assert "sslrootcert" not in build_url(DATABASE, plain).query


def test_the_server_gets_its_url_by_environment_and_no_part_of_the_secret() -> None:
    given = DATABASE.to_env() | {"PATH": "/bin"}
    env = build_environment(SETTINGS, given, store_uri="postgresql+psycopg2://...")
    assert [] == [name for name in env if name.startswith("DATABASE_")]
    assert "/bin" == env["PATH"]
    assert "postgresql+psycopg2://..." == env["MLFLOW_BACKEND_STORE_URI"]
    assert "mlflow.internal:*" == env["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert "false" == env["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"]
    assert "true" == env["MLFLOW_DISABLE_TELEMETRY"]


def test_artifacts_go_past_the_server() -> None:
    command = build_command(SETTINGS)
    assert "--no-serve-artifacts" in command
    assert "s3://models/mlflow" == command[command.index("--default-artifact-root") + 1]


def test_a_missing_variable_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main([], SETTINGS.to_env())
    said = capsys.readouterr().err
    assert "DATABASE_HOST is missing" in said
    assert 1 == said.count("\n")


def test_nothing_that_listens_is_not_alive() -> None:
    assert not is_alive(free_port())
