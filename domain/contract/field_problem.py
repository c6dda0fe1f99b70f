"""One bad field of a document that somebody sent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field: where it is (RFC 6901 pointer fragment) and what is wanted there.

    `detail` never contains the value that was sent.
    """

    pointer: str
    detail: str
    field: str = ""
    """The contract's name of the field; empty when the contract doesn't know it."""


def pointer_token(name: str) -> str:
    """One reference token of RFC 6901, cut to a bearable length."""
    return name[:64].replace("~", "~0").replace("/", "~1")
