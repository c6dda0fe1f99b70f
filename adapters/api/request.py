"""One event of API Gateway's REST proxy integration, in the form that routes read."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.api import requests
from domain.api.people import Person


@dataclass(frozen=True)
class Request:
    """The parts of one event that a route may look at."""

    event: Mapping[str, Any]

    @property
    def route(self) -> tuple[str, str]:
        """Method and resource, e.g. ``("GET", "/reports/{run_id}/{report}")``."""
        return self.event["httpMethod"], self.event["resource"]

    @property
    def path(self) -> Mapping[str, str]:
        """The values of the resource's path parameters."""
        return self.event.get("pathParameters") or {}

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters; if one is repeated, its last value."""
        return self.event.get("queryStringParameters") or {}

    @property
    def repeated_query(self) -> Mapping[str, Sequence[str]]:
        """Query parameters with all values of each."""
        multiple = self.event.get("multiValueQueryStringParameters")
        return multiple or {name: [value] for name, value in self.query.items()}

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        return {k.lower(): v for k, v in (self.event.get("headers") or {}).items()}

    @property
    def id(self) -> str:
        """The gateway's id of the request: the correlation id."""
        return str(self.event.get("requestContext", {}).get("requestId", ""))

    @property
    def caller(self) -> str:
        """Id of the API key that the request came with; empty where the gateway gives none."""
        identity = self.event.get("requestContext", {}).get("identity") or {}
        return identity.get("apiKeyId") or ""

    @property
    def signed_in(self) -> Person:
        """Who signed in, from the token that the gateway has checked; raises NotSignedIn."""
        authorizer = self.event.get("requestContext", {}).get("authorizer") or {}
        return Person.from_claims(authorizer.get("claims"))

    @cached_property
    def body(self) -> bytes:
        """The body's bytes; raises BadRequest."""
        text = self.event.get("body") or ""
        try:
            if self.event.get("isBase64Encoded"):
                return base64.b64decode(text, validate=True)
            return text.encode()
        except ValueError:
            raise requests.BadRequest("The body is not UTF-8.") from None

    def json(self) -> Any:
        """The body as strict JSON; raises BadRequest and its kinds."""
        headers = self.headers
        requests.check_media_type(headers.get("content-type"), headers.get("content-encoding"))
        return requests.parse_json(self.body)
