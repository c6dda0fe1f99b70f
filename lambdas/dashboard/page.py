"""The dashboard's own files, and the content security policy they are served with."""

import base64
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from adapters.api.rest import Answer, Problem

INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
OPERATOR = "{operator}"
"""Where the page names the operator's command line."""
DEPLOYMENT = "{deployment}"
"""Where the page says what the deployment is called."""
SIGN_IN, CLIENT = "{sign-in}", "{sign-in-client}"
"""Where the page says where people sign in, and as which client of it; empty without a login."""


@dataclass(frozen=True)
class Page:
    """The files of one folder, by name.

    `report_origin` is where reports are shown from, `sign_in_origin` where people sign in.
    """

    files: Mapping[str, str]
    report_origin: str
    sign_in_origin: str = ""

    @classmethod
    def read(
        cls,
        folder: Path,
        *,
        report_url: str,
        operator: str,
        deployment: str,
        sign_in_url: str = "",
        sign_in_client: str = "",
    ) -> "Page":
        """Read the files of a known type; `report_url` is any URL of the reports' origin.

        `operator` is how the operator's command line is called for the deployment, which is called
        `deployment`. `sign_in_url`: where people sign in, as `sign_in_client`; empty: they don't.
        """
        known = (path for path in folder.iterdir() if path.suffix in TYPES)
        files = {path.name: path.read_text(encoding="utf-8") for path in known}
        written = {
            OPERATOR: operator,
            DEPLOYMENT: deployment,
            SIGN_IN: sign_in_url,
            CLIENT: sign_in_client,
        }
        for place, text in written.items():
            files[INDEX] = files[INDEX].replace(place, html.escape(text))
        return cls(files, _read_origin(report_url), sign_in_url and _read_origin(sign_in_url))

    @cached_property
    def policy(self) -> str:
        """Content security policy: own files only, reports in a frame, and the sign-in's tokens."""
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src data:",  # the icon is in the page itself
                f"connect-src 'self' {self.sign_in_origin}".rstrip(),
                f"frame-src 'self' {self.report_origin}",  # the link of our own leads to the other
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )

    def answer(self, name: str, *, known: str = "") -> Answer:
        """One file, or 304 when `known` is its ETag; raises Problem (404)."""
        text = self.files.get(name)
        if text is None:
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", "The dashboard has no such file.")
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()
        headers = {
            "Content-Type": TYPES[Path(name).suffix],
            "Content-Security-Policy": self.policy,
            "Cache-Control": "no-cache",  # ask each time: files of two releases don't mix
            "ETag": f'"{digest}"',
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        # A gateway or a proxy that compresses makes the ETag a weak one.
        if known.removeprefix("W/") == headers["ETag"]:
            return {"statusCode": int(HTTPStatus.NOT_MODIFIED), "headers": headers, "body": ""}
        return {"statusCode": int(HTTPStatus.OK), "headers": headers, "body": text}


def _read_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
