"""REST answers for API Gateway's proxy integration; errors are RFC 9457 problem+json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypedDict

from domain.contract.field_problem import FieldProblem
from domain.typed_json import Json

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Made once: json.dumps makes one per call."""
JSON = "application/json"
PROBLEM = "application/problem+json"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Answer(TypedDict):
    """The proxy integration's response object."""

    statusCode: int
    headers: dict[str, str]
    body: str


@dataclass
class Problem(Exception):
    """An error for the client. `title` is the same for each kind, `detail` says what to do."""

    status: HTTPStatus
    title: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] | None = None

    def answer(self) -> Answer:
        """Build the response."""
        body: dict[str, Json] = {
            "type": "about:blank",
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in self.errors]
        return answer(self.status, body, content_type=PROBLEM, headers=self.headers)


def answer(
    status: HTTPStatus,
    body: Any,
    *,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Build a response with a JSON body."""
    return {
        "statusCode": int(status),
        "headers": _HEADERS | {"Content-Type": content_type} | dict(headers or {}),
        "body": _encode(body),
    }


def redirect(url: str) -> Answer:
    """Build a 302 to a URL that must not be cached."""
    return {
        "statusCode": int(HTTPStatus.FOUND),
        "headers": _HEADERS | {"Location": url},
        "body": "",
    }
