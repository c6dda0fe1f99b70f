"""The probation of a promotion: the champion against its predecessor on the same labelled rows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

from domain import typed_json

Verdict = Literal["open", "worse", "passed", "unknown"]
"""``open``: not decided yet. ``worse``: the predecessor is better by more than the margin.
``passed``: the time ran out without that. ``unknown``: labels can't say, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Labelled rows by outcome and by who answered yes; their order doesn't matter."""

    positive_both: int = 0
    positive_predecessor: int = 0
    positive_champion: int = 0
    positive_neither: int = 0
    negative_both: int = 0
    negative_predecessor: int = 0
    negative_champion: int = 0
    negative_neither: int = 0

    @classmethod
    def of_rows(cls, counts: Mapping[tuple[int, int, int], int]) -> Self:
        """From counts by (outcome, the predecessor's answer, the champion's answer)."""
        return cls(**{_NAMES[row]: count for row, count in counts.items()})

    def by_row(self) -> dict[tuple[int, int, int], int]:
        """The inverse of `of_rows`."""
        found: dict[str, int] = asdict(self)
        return {row: found[name] for row, name in _NAMES.items()}

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.by_row().values())

    @property
    def positives(self) -> int:
        """Rows whose outcome is positive."""
        return sum(count for (y, _, _), count in self.by_row().items() if y)


_WHO = {(1, 1): "both", (1, 0): "predecessor", (0, 1): "champion", (0, 0): "neither"}
_NAMES = {
    (y, *who): f"{'positive' if y else 'negative'}_{name}"
    for y in (0, 1)
    for who, name in _WHO.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probation:
    """What is known of one promotion. Times are UTC milliseconds.

    `seq`: of the promotion. `lower`: the predecessor's F1 minus the champion's is at least that.
    `reason`: the verdict as a sentence. `execution`: name of the rollback that the probation
    starts, or None. `is_pending`: the verdict is yet to be carried out and published.
    """

    seq: int
    version: str
    predecessor: str
    promoted_at: int
    ends_at: int
    looked_at: int
    labelled: int = 0
    lower: float = -1.0
    verdict: Verdict = "open"
    reason: str = ""
    execution: str | None = None
    is_pending: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing can change the verdict any more."""
        return self.verdict in ("worse", "passed") or self.looked_at >= self.ends_at

    def settled(self) -> Self:
        """The same once its verdict is carried out and published."""
        return replace(self, is_pending=False)

    def to_json(self) -> bytes:
        """The stored document."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
