"""A draw of predictions whose labels shall tell how the model performs: `draw.json`."""

from dataclasses import dataclass
from typing import Self

from domain import typed_json


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBand:
    """A band of the score, from which every row had the same probability of being drawn.

    `rows` of the window's predictions are in it, all called positive or all negative, with scores
    from `lowest` to `highest`; `drawn` of them are to be labelled.
    """

    called_positive: bool
    rows: int
    drawn: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDraw:
    """How the predictions of a draw were chosen; `draw_id` names window, version, count and seed.

    `drawn_at`: UTC milliseconds. `power`: the probability to find a fall of F1 of 0.10, as it was
    computed before.
    """

    draw_id: str
    drawn_at: int
    power: float
    bands: tuple[DrawnBand, ...]

    @property
    def drawn(self) -> int:
        """How many predictions are to be labelled."""
        return sum(band.drawn for band in self.bands)

    def to_json(self) -> bytes:
        """The object's content."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
