"""A webhook's receiver on this machine that misbehaves as it is told."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args

Behaviour = Literal[
    "ok", "refuse", "throttle", "away", "redirect", "reset", "hang", "drip", "noise"
]
FAULTS: tuple[Behaviour, ...] = tuple(b for b in get_args(Behaviour) if b != "ok")
STATUSES: Mapping[Behaviour, int] = {"refuse": 500, "throttle": 429, "away": 503, "redirect": 307}
KEY = "c2VjcmV0" * 8
"""48 bytes in base64."""


@dataclass
class Received:
    """A request that was accepted."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """`behave` says what becomes of the next request; only ``ok`` accepts it."""

    url: str
    behave: Callable[[], Behaviour] = lambda: "ok"
    accepted: list[Received] = field(default_factory=list)
    requests: int = 0
    retry_after: int = 0
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.requests += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            behaviour = receiver.behave()
            match behaviour:
                case "ok":
                    receiver.accepted.append(Received(self.path, dict(self.headers), body))
                    self._answer(204)
                case "reset":  # a lost connection: what was written is thrown away
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                case "hang":
                    receiver.ended.wait(60)
                case "drip":
                    self._drip()
                case "noise":
                    self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
                    self.close_connection = True
                case _:
                    self._answer(STATUSES[behaviour])

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", str(receiver.retry_after))
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def _drip(self) -> None:
            """Begin an answer, and send a byte of it before each time-out."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            try:
                while not receiver.ended.wait(0.01):
                    self.wfile.write(b"x")
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook?token=secret")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
