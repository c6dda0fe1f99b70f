"""What the tracking server is told: by its stack in the open, by its secret in parts."""

from dataclasses import dataclass

from domain.environment import Environment

PORT = 5000
CA_BUNDLE = "/etc/ssl/rds/bundle.pem"
"""Where the image keeps the certificates of RDS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """The variables that hold no secret.

    `artifact_root`: where clients write artifacts, themselves. `allowed_hosts`: Host headers that
    are answered, comma-separated, ``name:*`` for any port. `sslmode` and `sslrootcert` are libpq's.
    `patience_seconds`: how long a database that can't be reached is asked again before giving up.
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
    """The parts of the database's secret, each a variable of its own."""

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
"""Field of `Database` → key in the JSON of a secret that RDS is attached to."""
