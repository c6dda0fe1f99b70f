"""Build the database's URL, and bring its schema up to date, one server at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.engine import URL

from domain.errors import DomainError
from mlflow_server.settings import Database, Settings

LOCK = 0x6D6C666C6F77  # "mlflow" in ASCII; the advisory lock of all servers of one database
RETRY_SECONDS = 2.0
CONNECT_SECONDS = 10


class DatabaseUnavailable(DomainError):
    """The database can't be reached or refuses. The message contains no part of the secret."""


def build_url(database: Database, settings: Settings) -> URL:
    """Build the SQLAlchemy URL. For ``postgresql://`` SQLAlchemy 2.1 would need psycopg 3."""
    query = {"sslmode": settings.sslmode, "connect_timeout": str(CONNECT_SECONDS)}
    # A connection that was lost in a failover is noticed within a minute.
    query |= {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
    if settings.sslmode.startswith("verify-"):
        query["sslrootcert"] = settings.sslrootcert
    return URL.create(
        "postgresql+psycopg2",
        username=database.database_user,
        password=database.database_password,
        host=database.database_host,
        port=database.database_port,
        database=database.database_name,
        query=query,
    )


def migrate(address: URL, *, patience_seconds: float) -> None:
    """Create or upgrade MLflow's tables. Of several servers one does it and the others wait.

    Raises DatabaseUnavailable if the database can't be reached for `patience_seconds`.
    """
    from mlflow.db import upgrade

    with _locked(address, patience_seconds):
        # `mlflow db upgrade URL`, run in this process: others could read a command line's password.
        upgrade.main([address.render_as_string(hide_password=False)], standalone_mode=False)


@contextmanager
def _locked(address: URL, patience_seconds: float) -> Iterator[None]:
    """Hold the advisory lock. It ends with the connection, so a killed server leaves none."""
    connection = _connect(address, patience_seconds)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield
    finally:
        connection.close()


def _connect(address: URL, patience_seconds: float) -> psycopg2.extensions.connection:
    deadline = time.monotonic() + patience_seconds
    reported = False
    while True:
        try:
            return psycopg2.connect(
                address.set(drivername="postgresql").render_as_string(hide_password=False)
            )
        except psycopg2.OperationalError as error:
            if time.monotonic() >= deadline:
                raise DatabaseUnavailable(
                    f"The database at {address.host}:{address.port} could not be used within"
                    f" {patience_seconds:g} s: {_reason(error)}."
                ) from None
            if not reported:
                print(f"Waiting for the database: {_reason(error)}.", flush=True)  # noqa: T201 - a container's log
                reported = True
            time.sleep(RETRY_SECONDS)


def _reason(error: psycopg2.OperationalError) -> str:
    """libpq's own message. It names host, user and database, but never the password."""
    return " ".join(str(error).split()).rstrip(".")
