"""Typical values of the features, for examples and prefilled forms."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.contract.feature import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalValue:
    """A feature's value: the rounded median of a number, the commonest category or flag.

    One of `number` and `text` is given.
    """

    feature: str
    number: float | None = None
    text: str | None = None


def read_typical(values: Iterable[TypicalValue]) -> dict[str, Value]:
    """The values by feature."""
    return {v.feature: v.number if v.text is None else v.text for v in values}
