"""A proof of identity holds for one execution, for a quarter of an hour, and only if untouched."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from adapters.identity import HEADER, identify, sign_identity
from tests.unit.fakes import make_sts

ARN = "arn:aws:iam::123456789012:user/ann"
SECRET = "secret"


class Sts(BaseHTTPRequestHandler):
    """Checks the signature of a GetCallerIdentity request as STS does."""

    def do_GET(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query))
        signature, date = given.pop("X-Amz-Signature"), given["X-Amz-Date"]
        url = f"http://{self.headers['Host']}/?{urlencode(given)}"
        names = given["X-Amz-SignedHeaders"].split(";")
        headers = {name: self.headers[name] for name in names if self.headers[name]}
        request = AWSRequest("GET", url, headers=headers)
        request.context["timestamp"] = date
        auth = SigV4QueryAuth(Credentials("AKIDEXAMPLE", SECRET), "sts", "eu-central-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        fresh = datetime.now(UTC) - signed_at < timedelta(seconds=int(given["X-Amz-Expires"]))
        good = fresh and signature == auth.signature(text, request)
        self.send_response(200 if good else 403)
        self.end_headers()
        self.wfile.write(f"<Result><Arn>{ARN}</Arn></Result>".encode() if good else b"<Error/>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def sts() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Sts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield make_sts(f"http://127.0.0.1:{server.server_port}", SECRET)
    server.shutdown()


def test_who_signed_for_an_execution_is_named(sts: Any) -> None:
    assert ARN == identify(sts, sign_identity(sts, "rollback-1"), "rollback-1")


def test_the_proof_of_one_execution_proves_nothing_for_another(sts: Any) -> None:
    assert identify(sts, sign_identity(sts, "rollback-1"), "rollback-2") is None


def test_signing_twice_with_one_client_names_the_second_execution(sts: Any) -> None:
    sign_identity(sts, "a")
    assert ARN == identify(sts, sign_identity(sts, "b"), "b")


def test_a_signature_of_other_credentials_proves_nothing(sts: Any) -> None:
    forged = sign_identity(make_sts(sts.meta.endpoint_url, "guess"), "a")
    assert identify(sts, forged, "a") is None


def _without_header(proof: str) -> str:
    return proof.replace(f"host%3B{HEADER}", "host")


def _other_action(proof: str) -> str:
    return proof.replace("GetCallerIdentity", "GetSessionToken")


@pytest.mark.parametrize(
    "change",
    [
        _without_header,
        _other_action,
        lambda proof: proof + "&Extra=1",
        lambda proof: proof.replace("X-Amz-Signature", "X-Amz-Sign"),
        lambda _: "",
        lambda _: "%%%&&&=",
    ],
)
def test_a_proof_of_another_shape_is_not_even_sent(change: Any) -> None:
    nowhere = make_sts("http://127.0.0.1:1")
    calls: list[str] = []
    nowhere.meta.events.register("before-send", lambda **_: calls.append("sent"))
    assert identify(nowhere, change(sign_identity(nowhere, "a")), "a") is None
    assert [] == calls


def test_an_unreachable_sts_proves_nothing_and_raises_nothing() -> None:
    nowhere = make_sts("http://127.0.0.1:1")
    assert identify(nowhere, sign_identity(nowhere, "a"), "a") is None
