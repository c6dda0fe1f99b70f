"""An HTTP proxy between the parts and the emulator that delays, drops, refuses and alters."""

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal[
    "delay",
    "hang",
    "drop before",
    "drop after",
    "refuse",
    "fail after",
    "truncate",
    "alter",
    "duplicate",
    "kill before",
    "kill after",
]
"""What happens to a call. `hang`: done, and answered after the client gave up. `fail after`: done,
and answered with 500. `truncate`: half of the content, then the connection ends. `alter`: a byte
of the content is another one. `duplicate`: done twice, the second answer counts. `kill before`,
`kill after`: the process that calls, and all that it started, die before the work or after it."""

DELAY_SECONDS = 0.15
PATIENCE_SECONDS = 2.0
"""Read timeout of the clients that go through the proxy."""
HANG_SECONDS = 2.2
SERVER_ERROR = (500, "InternalError")
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_HOP_BY_HOP = frozenset({"connection", "expect", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault at calls of one operation, e.g. ``s3 put``, or of ``any``.

    `refusal`: status and code that a refused call is answered with.
    """

    operation: str
    kind: Kind
    refusal: tuple[int, str] = SERVER_ERROR

    @property
    def name(self) -> str:
        """How the test's report calls it."""
        code = f" {self.refusal[0]}" if self.kind == "refuse" else ""
        return f"{self.operation}: {self.kind}{code}"


@dataclass
class Plan:
    """Which calls a fault meets: the numbers of the calls of its operation, from 1."""

    fault: Fault
    numbers: frozenset[int]
    met: int = 0
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def kind_for(self, operation: str) -> Kind | None:
        """Count the call; the fault that it meets."""
        if self.fault.operation not in (operation, "any"):
            return None
        with self._lock:
            self._seen += 1
            if self._seen not in self.numbers:
                return None
            self.met += 1
            return self.fault.kind


@dataclass
class Faults:
    """What several proxies do. `plan` may be replaced at any time; None lets everything pass.

    `victim`: the process group that is killed.
    """

    plan: Plan | None = None
    victim: int = 0
    calls: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the emulator."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@contextmanager
def proxying(upstream: str, faults: Faults) -> Iterator[str]:
    """The URL of a proxy before `upstream`, on a port of its own, until the block ends."""
    target = urlsplit(upstream)

    def forward(handler: BaseHTTPRequestHandler, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        # A signature covers the host that was asked; MLflow answers to its own host alone.
        left_out = _HOP_BY_HOP if "Authorization" in handler.headers else _HOP_BY_HOP | {"host"}
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in left_out}
        connection.request(handler.command, handler.path, body=body, headers=headers)
        answer = connection.getresponse()
        reply = Reply(answer.status, answer.getheaders(), answer.read())
        connection.close()
        return reply

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(faults, forward))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Forward = Callable[[BaseHTTPRequestHandler, bytes], Reply]


def _handler(faults: Faults, forward: Forward) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = operation_of(self)
            faults.calls.append(operation)
            plan = faults.plan
            kind = plan.kind_for(operation) if plan else None
            if kind == "drop before":
                self._drop()
            elif kind == "kill before":
                self._kill()
            elif kind == "refuse" and plan:
                self._refuse(*plan.fault.refusal)
            else:
                if kind == "delay":
                    time.sleep(DELAY_SECONDS)
                if kind == "duplicate":
                    forward(self, body)
                reply = forward(self, body)
                if kind == "kill after":
                    self._kill()
                else:
                    self._answer(reply, kind)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815 - the base's names

        def _answer(self, reply: Reply, kind: Kind | None) -> None:
            if kind == "hang":
                time.sleep(HANG_SECONDS)
            if kind in ("drop after", "hang"):
                self._drop()
                return
            if kind == "fail after":
                self._refuse(*SERVER_ERROR)
                return
            content = reply.body
            # S3 has a checksum of every object; the emulator has none of what its Firehose wrote.
            summed = any(name.lower().startswith("x-amz-checksum-") for name, _ in reply.headers)
            if kind == "alter" and content and summed:
                middle = len(content) // 2
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            keep = len(content) // 2 if kind == "truncate" and len(content) > 1 else None
            self._send(reply.status, reply.headers, content, keep)
            if keep is not None:
                self._drop()

        def _send(
            self,
            status: int,
            headers: list[tuple[str, str]],
            content: bytes,
            keep: int | None = None,
        ) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            bodiless = self.command == "HEAD" or status in (204, 304)
            if not bodiless:
                self.send_header("Content-Length", str(len(content)))
            elif self.command == "HEAD":
                self.send_header("Content-Length", dict(headers).get("Content-Length", "0"))
            self.end_headers()
            if not bodiless:
                self.wfile.write(content if keep is None else content[:keep])
            self.wfile.flush()

        def _refuse(self, status: int, code: str) -> None:
            if (self.headers.get("Authorization") or "").find("/s3/") >= 0:
                body = f"<Error><Code>{code}</Code><Message>made up</Message></Error>".encode()
                self._send(status, [("Content-Type", "application/xml")], body)
            elif "/sns/" in (self.headers.get("Authorization") or ""):
                body = (
                    f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
                ).encode()
                self._send(status, [("Content-Type", "text/xml")], body)
            else:
                body = f'{{"__type": "{code}", "message": "made up"}}'.encode()
                headers = [("x-amzn-errortype", code), ("Content-Type", "application/json")]
                self._send(status, headers, body)

        def _kill(self) -> None:
            os.killpg(faults.victim, signal.SIGKILL)
            self._drop()

        def _drop(self) -> None:
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def operation_of(handler: BaseHTTPRequestHandler) -> str:
    """Service and operation of a call: ``s3 put``, ``states StartExecution``, ``mlflow get``."""
    found = _SERVICE.search(handler.headers.get("Authorization") or "")
    service = found[1] if found else "mlflow"
    if service == "s3":
        listing = handler.command == "GET" and "list-type=2" in handler.path
        return f"s3 {'list' if listing else handler.command.lower()}"
    target = handler.headers.get("X-Amz-Target") or ""
    return f"{service} {target.rpartition('.')[2] or handler.command.lower()}"
