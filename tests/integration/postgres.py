"""A real Postgres for tests: own cluster on a free port, with TLS and passwords."""

import datetime
import ipaddress
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg2 import sql

from ops.local.processes import free_port

SUPERUSER = "superuser"
PASSWORD = "made-up"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl: on PATH, or where Debian keeps the newest version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return folders[-1] if folders else None


@dataclass(frozen=True)
class Postgres:
    """One cluster in `folder`; `ca` is the certificate that its own was signed with: itself."""

    folder: Path
    port: int
    programs: Path
    user: str | None
    """Whom it runs as: Postgres refuses root."""

    @property
    def ca(self) -> Path:
        return self.folder / "server.crt"

    def start(self) -> None:
        self._control("start")

    def stop(self) -> None:
        """At once, as in a failover: open connections are cut."""
        self._control("stop", "--mode=immediate")

    def create(self, *, password: str) -> str:
        """A database of that name, owned by a role of the same name with that password."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=PASSWORD,
            dbname="postgres",
        )
        connection.autocommit = True
        role = sql.Identifier(name)
        with connection.cursor() as cursor:
            create_role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            cursor.execute(create_role.format(role, sql.Literal(password)))
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        connection.close()
        return name

    def initialise(self) -> None:
        certificate(self.folder)
        (self.folder / "password").write_text(PASSWORD)
        if self.user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, self.user)
        auth = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        self._run(
            "initdb",
            f"--username={SUPERUSER}",
            f"--pwfile={self.folder / 'password'}",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            *auth,
        )

    def _control(self, action: str, *options: str) -> None:
        server = [
            f"-p {self.port}",
            "-c listen_addresses=127.0.0.1",
            f"-c unix_socket_directories={self.folder}",
            "-c fsync=off",
            "-c ssl=on",
            f"-c ssl_cert_file={self.ca}",
            f"-c ssl_key_file={self.folder / 'server.key'}",
        ]
        log = f"--log={self.folder / 'log'}"
        self._run("pg_ctl", action, "--wait", log, "--options", " ".join(server), *options)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, f"--pgdata={self.folder / 'data'}", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self.user,
            group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )


@contextmanager
def running(programs: Path) -> Iterator[Postgres]:
    """A cluster that is removed at the end."""
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    # Not below pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(Path(folder), free_port(), programs, user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def certificate(folder: Path) -> None:
    """Self-signed for 127.0.0.1, so that `verify-full` can be tried."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    file = folder / "server.key"
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
