"""People who signed in, and what their groups let them do.

A stage with `login` sends each request of a person with the claims of a token that the API's
authorizer has checked. What the person may do follows from the groups alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from domain.errors import DomainError

Permission = Literal["read", "inspect", "operate", "approve"]
GROUPS: Mapping[Permission, str] = {
    "read": "Sees the dashboard, drift runs, predictions without features, and models.",
    "inspect": "Opens single predictions with their features, each view recorded; may read, too.",
    "operate": "Starts drift runs and rollbacks, acknowledges, and sends labels; may read, too.",
    "approve": "Answers a model that waits for an approval; may read, too.",
}
"""The groups, each with what its members may do. One who may operate doesn't approve by that."""

ROUTES: Mapping[tuple[str, str], Permission] = {
    ("POST", "/people/predict"): "read",
    ("POST", "/people/labels"): "operate",
}
"""What services do with a key, for people: a path takes either a key or a token."""

_SEPARATORS = re.compile(r"[\s,\[\]]+")


class NotSignedIn(DomainError):
    """A request for people came without a token that says who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signed in: the mail address, and what they may do."""

    name: str
    permissions: frozenset[Permission]

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any] | None) -> Self:
        """Read the claims of an identity token; raises NotSignedIn.

        The gateway writes a list of groups as one text, joined by commas or blanks, some gateways
        in square brackets.
        """
        found = claims or {}
        name = str(found.get("email") or "")
        if not name or found.get("token_use") != "id":
            raise NotSignedIn("Sign in, and send the identity token in the header Authorization.")
        groups = set(_SEPARATORS.split(str(found.get("cognito:groups") or "")))
        own = {permission for permission in get_args(Permission) if permission in groups}
        return cls(name=name, permissions=frozenset({*own, "read"} if own else own))

    def may(self, permission: Permission) -> bool:
        """Whether one of the groups gives that permission."""
        return permission in self.permissions
