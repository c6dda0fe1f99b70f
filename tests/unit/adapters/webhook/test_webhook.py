"""A message reaches one receiver, whatever that does, and nobody else."""

import base64
import hashlib
import hmac
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.webhook.notification import Notification
from adapters.webhook.webhook import Webhook, WebhookRefused
from domain.webhook import Format, WebhookSecret
from tests.unit.receiver import KEY, Behaviour, Receiver, receiving

NOTIFICATION = Notification(
    id="0123", type="DriftDetected", title="Drift", facts=("age rose.",), data={"runs": []}
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def _webhook(
    url: str, *, format_: Format = "json", allow_private: bool = True, seconds: float = 0.5
) -> Webhook:
    return Webhook(
        format=format_,
        read_secret=lambda: WebhookSecret(key=KEY, url=url),
        allow_private=allow_private,
        seconds=seconds,
        pauses=(0.0, 0.0),
    )


def test_a_receiver_can_check_who_sent_a_message_and_when(receiver: Receiver) -> None:
    _webhook(receiver.url).send(NOTIFICATION)
    (received,) = receiver.accepted
    headers = {name.lower(): value for name, value in received.headers.items()}
    signed = f"0123.{headers['webhook-timestamp']}.".encode() + received.body
    mac = hmac.new(base64.b64decode(KEY), signed, hashlib.sha256).digest()
    assert f"v1,{base64.b64encode(mac).decode()}" == headers["webhook-signature"]
    assert ("0123", "application/json") == (headers["webhook-id"], headers["content-type"])
    assert "/hook?token=secret" == received.path
    assert receiver.url.split("/")[2] == headers["host"]
    assert {
        "id": "0123",
        "type": "DriftDetected",
        "title": "Drift",
        "facts": ["age rose."],
        "links": [],
        "data": {"runs": []},
    } == received.document


@pytest.mark.parametrize("format_", ["slack", "teams"])
def test_slack_and_teams_get_no_signature(receiver: Receiver, format_: Format) -> None:
    _webhook(receiver.url, format_=format_).send(NOTIFICATION)
    (received,) = receiver.accepted
    assert not [name for name in received.headers if name.lower().startswith("webhook-")]


@pytest.mark.parametrize("behaviour", ["throttle", "away"])
def test_a_busy_receiver_gets_it_again(receiver: Receiver, behaviour: Behaviour) -> None:
    script: list[Behaviour] = [behaviour, behaviour, "ok"]
    receiver.behave = lambda: script.pop(0)
    _webhook(receiver.url, seconds=5).send(NOTIFICATION)
    assert (1, 3) == (len(receiver.accepted), receiver.requests)


def test_a_receiver_that_wants_a_long_pause_is_left_to_the_next_run(receiver: Receiver) -> None:
    receiver.behave, receiver.retry_after = lambda: "throttle", 3_600
    with pytest.raises(WebhookRefused, match="status 429"):
        _webhook(receiver.url, seconds=4).send(NOTIFICATION)
    assert 1 == receiver.requests


@pytest.mark.parametrize(
    ("behaviour", "sentence", "requests"),
    [
        ("throttle", "status 429", 3),
        ("refuse", "status 500", 1),
        ("redirect", "status 307", 1),
        ("reset", "ProtocolError", 1),
        ("noise", "ProtocolError", 1),
        ("hang", "no answer in time", 1),
        ("drip", "no answer in time", 1),
    ],
)
def test_what_a_receiver_did_not_take_is_said_without_the_url(
    receiver: Receiver, behaviour: Behaviour, sentence: str, requests: int
) -> None:
    receiver.behave = lambda: behaviour
    with pytest.raises(WebhookRefused, match=sentence) as refused:
        _webhook(receiver.url, seconds=10 if requests > 1 else 0.3).send(NOTIFICATION)
    assert requests == receiver.requests  # of a redirect, too: nothing was sent elsewhere
    assert "secret" not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_a_receiver_that_is_not_there_is_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(WebhookRefused, match="NewConnectionError"):
        _webhook(url, seconds=5).send(NOTIFICATION)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "no URL is set"),
        ("http://example.org/", "begins with https://"),
        ("https://127.0.0.1/", "public address"),
    ],
)
def test_in_an_account_nothing_goes_to_an_url_that_is_not_allowed(url: str, sentence: str) -> None:
    with pytest.raises(WebhookRefused, match=sentence):
        _webhook(url, allow_private=False).send(NOTIFICATION)


@pytest.mark.parametrize("addresses", [["10.0.0.7"], ["93.184.215.14", "169.254.169.254"], ["::1"]])
def test_a_name_that_stands_for_a_private_address_gets_nothing(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, 443)) for found in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(WebhookRefused, match="not public"):
        _webhook("https://hooks.example.org/a", allow_private=False).send(NOTIFICATION)


def test_a_secret_that_cannot_be_decoded_is_a_sentence() -> None:
    webhook = Webhook(format="json", read_secret=lambda: WebhookSecret.from_json("{"))
    with pytest.raises(WebhookRefused, match="can't be decoded"):
        webhook.send(NOTIFICATION)
