"""One invalid field of a document."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """An invalid field: where it is (a JSON pointer, RFC 6901) and what is expected there.

    `detail` never contains the value that was sent.
    """

    pointer: str
    detail: str
    field: str = ""
    """The field's name in the contract; empty if the contract has no such field."""


def pointer_token(name: str) -> str:
    """Escape a name for a JSON pointer, and cut it to 64 characters."""
    return name[:64].replace("~", "~0").replace("/", "~1")
