"""URL and key of a webhook."""

import ipaddress
import json

import pytest

from domain.errors import BadRecord
from domain.webhook import BadUrl, WebhookSecret, check_url, is_public

KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_secret_as_it_is_generated_can_be_read_and_gets_its_url() -> None:
    secret = WebhookSecret.from_json(json.dumps({"url": "", "key": "aB3" * 21 + "x"}))
    assert "" == secret.url
    changed = secret.with_url("https://example.org/hook")
    assert changed == WebhookSecret.from_json(changed.to_json())
    assert secret.key == changed.key


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"key": 1}', '{"key": "c2hvcnQ="}', '{"key": "not base64!"}']
)
def test_another_secret_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(BadRecord, match="webhook's secret") as refused:
        WebhookSecret.from_json(text)
    assert "c2hvcnQ" not in str(refused.value)


def test_the_signature_is_that_of_the_example_of_standard_webhooks() -> None:
    secret = WebhookSecret(key=KEY)
    signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signature


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://example.org/",
        "http://example.org/",
        "https:///path",
        "https://" + "user:word@example.org/",  # together they look like a secret
        "https://example.org/#part",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://exämple.org/",
        "https://example.org:port/",
        "https://[::1",
        "https://10.1.2.3/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/",
        "https://example.org/" + "x" * 3_000,
    ],
)
def test_an_url_that_is_not_allowed_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(BadUrl) as refused:
        check_url(url)
    assert not url or url not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com" + "/services/T0/B0/x", "https://a.b:8443/?q=1"]
)
def test_an_https_url_of_the_internet_is_allowed(url: str) -> None:
    check_url(url)


def test_on_a_laptop_the_receiver_may_be_beside_it() -> None:
    check_url("http://127.0.0.1:9000/hook", allow_private=True)
    with pytest.raises(BadUrl, match="https:// or http://"):
        check_url("file:///etc/passwd", allow_private=True)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:4700::6810:84e5", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound to it
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_an_address_that_holds_a_private_one_is_private(address: str, expected: bool) -> None:
    assert expected is is_public(ipaddress.ip_address(address))
