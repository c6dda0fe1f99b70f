"""A webhook: the formats of its messages, and the secret with its URL and its signing key.

Messages are signed as Standard Webhooks (https://www.standardwebhooks.com) says, so that receivers
can check them with its libraries.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args
from urllib.parse import urlsplit

from domain.errors import BadRecord, DomainError

Format = Literal["slack", "teams", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
KEY_BYTES = (24, 64)
"""The shortest and the longest key that Standard Webhooks allows."""
LONGEST_URL = 2048


class BadUrl(DomainError):
    """Messages can't be sent to this URL; the sentence does not quote it."""


@dataclass(frozen=True, slots=True, repr=False)
class WebhookSecret:
    """`key`: base64 of the bytes that sign. `url`: empty until an operator has set it."""

    key: str
    url: str = ""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode ``{"url": ..., "key": ...}``; raises BadRecord."""
        try:
            fields = json.loads(text)
            secret = cls(key=fields["key"], url=fields.get("url", ""))
            length = len(base64.b64decode(secret.key, validate=True))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise BadRecord("The webhook's secret can't be decoded.") from None
        if not isinstance(secret.url, str) or not KEY_BYTES[0] <= length <= KEY_BYTES[1]:
            raise BadRecord("The webhook's secret can't be used: its key has a wrong length.")
        return secret

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        return json.dumps({"url": self.url, "key": self.key})

    def with_url(self, url: str) -> Self:
        """The same key with another URL."""
        return replace(self, url=url)

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The header ``webhook-signature``; `timestamp` in seconds since 1970."""
        signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
        mac = hmac.new(base64.b64decode(self.key), signed, hashlib.sha256)
        return f"v1,{base64.b64encode(mac.digest()).decode()}"


def check_url(url: str, *, allow_private: bool = False) -> None:
    """Raise BadUrl unless messages may be sent there.

    `allow_private`: also without TLS, and to an address that only this machine or network has. What
    a name stands for is checked when a message is sent.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadUrl("This is no URL.") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not host:
        raise BadUrl(f"A webhook's URL begins with {' or '.join(f'{s}://' for s in schemes)}.")
    if parts.username is not None or parts.fragment:
        raise BadUrl("A webhook's URL has no user name, no password and no fragment.")
    if len(url) > LONGEST_URL or not url.isascii() or any(c.isspace() or c < " " for c in url):
        raise BadUrl(f"A webhook's URL has at most {LONGEST_URL} ASCII characters and no blank.")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not allow_private and not is_public(address):
        raise BadUrl("A webhook's URL leads to a public address.")


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is an address of the internet; one that holds another counts as the other."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast
