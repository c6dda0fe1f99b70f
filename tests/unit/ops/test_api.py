"""The API's client: what it repeats, and what it says when nobody answers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ops.api import Api
from ops.errors import OpsError
from ops.local.processes import free_port


class Busy(BaseHTTPRequestHandler):
    """Answers 429, 503, then 200; remembers the headers it saw."""

    statuses: list[int]
    seen: list[tuple[str, str]]

    def do_POST(self) -> None:
        """Take one request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["Idempotency-Key"], self.headers["x-api-key"]))
        status = self.statuses.pop(0)
        body = json.dumps({"status": status}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    """A busy server."""
    Busy.statuses, Busy.seen = [429, 503, 200], []
    server = HTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_busy_api_is_asked_again_under_the_same_idempotency_key(url: str) -> None:
    answer = Api(url, "key").post("/predict", {}, idempotency_key="one")

    assert (200, {"status": 200}) == answer
    assert [("one", "key")] * 3 == Busy.seen


def test_a_refusal_is_not_repeated(url: str) -> None:
    Busy.statuses = [400]

    assert (400, {"status": 400}) == Api(url, "key").post("/predict", {}, idempotency_key="one")
    assert 1 == len(Busy.seen)


def test_an_api_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.Retry.sleep", lambda *_: None)

    with pytest.raises(OpsError, match="can't be reached"):
        Api(f"http://127.0.0.1:{free_port()}", "key").get("/health")


def test_the_key_is_in_no_representation() -> None:
    assert "secret" not in repr(Api("http://x", "secret"))
