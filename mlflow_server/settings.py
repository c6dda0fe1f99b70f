"""Environment variables of the tracking server; those of the database come from a secret."""

from dataclasses import dataclass

from domain.environment import Environment

PORT = 5000
CA_BUNDLE = "/etc/ssl/rds/bundle.pem"
"""Path of the RDS certificates in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """The variables that hold no secret.

    `artifact_root`: where clients write artifacts, without going through the server.
    `allowed_hosts`: accepted Host headers, separated by commas; ``name:*`` accepts any port.
    `sslmode`, `sslrootcert`: as in libpq. `patience_seconds`: how long to wait for a database that
    can't be reached.
    """

    artifact_root: str
    allowed_hosts: str
    host: str = "0.0.0.0"  # noqa: S104 - the security group decides who reaches a container
    port: int = PORT
    sslmode: str = "verify-full"
    sslrootcert: str = CA_BUNDLE
    patience_seconds: int = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Database(Environment):
    """The parts of the database's secret, one variable each."""

    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str


SECRET_PARTS = {
    "database_host": "host",
    "database_port": "port",
    "database_name": "dbname",
    "database_user": "username",
    "database_password": "password",
}
"""Field of `Database` → key in the JSON of the secret, which is attached to the RDS instance."""
