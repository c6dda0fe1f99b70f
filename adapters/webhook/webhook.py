"""Send a message to the webhook, and nothing to anywhere else.

A redirect is not followed, and the host must stand for public addresses: the connection goes to the
very address that was checked. Nothing that is raised quotes the URL, which is a secret.
"""

import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from urllib.parse import SplitResult, urlsplit

import urllib3

from adapters.webhook.formats import FORMATTERS
from adapters.webhook.notification import Notification
from domain.errors import BadRecord
from domain.webhook import BadUrl, Format, WebhookSecret, check_url, is_public

CONNECT_SECONDS = READ_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
"""The time for one message with its repetitions, however slowly the receiver answers."""
PAUSES = (0.5, 2.0)
"""Seconds before a busy or unreachable receiver is tried again."""
LONGEST_PAUSE_SECONDS = 5.0
"""Whatever the receiver asks for: the next scheduled run tries again anyway."""
BUSY = (429, 503)
"""Statuses of a receiver that has not taken the message and wants it later."""
USER_AGENT = "mlops-circle"


class WebhookRefused(Exception):
    """The receiver did not say that it took the message; the text says why in a few words."""


class _NotTaken(WebhookRefused):
    """The receiver surely has not taken it, and may soon. `pause`: the seconds that it asks for."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One receiver.

    `read_secret` is called for each message, because an operator may have changed the URL.
    `allow_private`: see `domain.webhook.check_url`. `seconds`: see PATIENCE_SECONDS.
    """

    format: Format
    read_secret: Callable[[], WebhookSecret]
    allow_private: bool = False
    seconds: float = PATIENCE_SECONDS
    pauses: tuple[float, ...] = PAUSES

    def send(self, notification: Notification) -> None:
        """Send it; raises WebhookRefused unless the receiver answers with a status 200 to 299.

        A receiver that can't be reached or is busy gets it again, soon after. One that got it and
        has not answered well does not: it may have taken the message.
        """
        secret = self._read_secret()
        body = json.dumps(FORMATTERS[self.format](notification)).encode()
        end = time.monotonic() + self.seconds
        for pause in (*self.pauses, None):
            try:
                _within(end - time.monotonic(), lambda: self._post(secret, notification.id, body))
                return
            except _NotTaken as error:
                wait = max(pause or 0.0, error.pause)
                if pause is None or time.monotonic() + wait >= end:
                    raise
                time.sleep(wait)

    def _read_secret(self) -> WebhookSecret:
        try:
            secret = self.read_secret()
            if not secret.url:
                raise WebhookRefused("no URL is set")
            check_url(secret.url, allow_private=self.allow_private)
        except (BadRecord, BadUrl) as error:
            raise WebhookRefused(str(error).rstrip(".")) from None
        return secret

    def _post(self, secret: WebhookSecret, message_id: str, body: bytes) -> None:
        parts = urlsplit(secret.url)
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "Host": parts.netloc,
            "User-Agent": USER_AGENT,
        }
        if self.format == "json":
            headers |= {
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": secret.sign(message_id, timestamp, body),
            }
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        try:
            with _connect(parts, allow_private=self.allow_private) as pool:
                answer = pool.urlopen(
                    "POST", path, body=body, headers=headers, redirect=False, preload_content=False
                )
                answer.close()  # only its status matters
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
        ) as error:
            raise _NotTaken(type(error).__name__) from None
        except urllib3.exceptions.HTTPError as error:  # its text would quote the URL
            raise WebhookRefused(type(error).__name__) from None
        if answer.status in BUSY:
            raise _NotTaken(f"status {answer.status}", _read_pause(answer.headers))
        if not 200 <= answer.status < 300:
            raise WebhookRefused(f"status {answer.status}")


def _read_pause(headers: Mapping[str, str]) -> float:
    """The seconds of ``Retry-After``; 0 without them, or when it names a date."""
    text = headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE_SECONDS) if text.isdecimal() else 0.0


def _connect(parts: SplitResult, *, allow_private: bool) -> urllib3.HTTPConnectionPool:
    """A pool for the host at one of its addresses; raises WebhookRefused."""
    host = str(parts.hostname)
    secure = parts.scheme == "https"
    address = _find_address(host, parts.port or (443 if secure else 80), allow_private)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not secure:
        return urllib3.HTTPConnectionPool(address, parts.port, retries=False, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        address,
        parts.port,
        retries=False,
        timeout=timeout,
        # The address is connected to, and the certificate must be the host's.
        server_hostname=host,
        assert_hostname=host,
        ssl_context=ssl.create_default_context(),
    )


def _find_address(host: str, port: int, allow_private: bool) -> str:
    """One of the host's addresses, all of which must be allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise _NotTaken("its host is unknown") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not allow_private and not all(is_public(ipaddress.ip_address(a)) for a in addresses):
        raise WebhookRefused("its host has an address that is not public")
    return addresses[0]


def _within(seconds: float, call: Callable[[], None]) -> None:
    """Call it, and wait no longer than that: an answer may arrive byte by byte for ever."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            call()
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        future.result(timeout=seconds)
    except TimeoutError:
        raise WebhookRefused("no answer in time") from None
