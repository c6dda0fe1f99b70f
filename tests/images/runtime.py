"""Lambda's runtime interface, as far as one invocation needs it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

REQUEST = "00000000-0000-0000-0000-000000000001"


@contextmanager
def runtime(event: dict[str, Any]) -> Iterator[tuple[str, "Queue[tuple[str, Any]]"]]:
    """Hands out one event: ``(address, answers)``, an answer being ``(kind, document)``."""
    answers: Queue[tuple[str, Any]] = Queue()
    events: Queue[dict[str, Any]] = Queue()
    events.put(event)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(events.get()).encode()  # the second request waits, as Lambda's does
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST)
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:function:f")
            self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            self.send_header("Content-Type", "application/json")  # without it awslambdaric crashes
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = _chunks(self)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            answers.put((self.path.rpartition("/")[2], json.loads(body or b"null")))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", answers
    finally:
        server.shutdown()
        server.server_close()


def _chunks(handler: BaseHTTPRequestHandler) -> bytes:
    body = b""
    while size := int(handler.rfile.readline().strip() or b"0", 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    return body
