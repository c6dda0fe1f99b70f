"""What a challenger would have answered to logged requests, beside what was answered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.plural import write_count


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedGroup:
    """Some of the replayed requests.

    `changed`: share of them whose answer the challenger changes; `to_positive`: share of them whose
    negative answer becomes positive. `score_shift`: its mean probability minus the champion's.
    """

    rows: int
    changed: float
    to_positive: float
    score_shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(ReplayedGroup):
    """A sample of the requests of ``[start, end)`` (UTC milliseconds), by segment where it is large
    enough to be shown. `logged`: requests that the sample is of.
    """

    start: int
    end: int
    logged: int
    segments: Mapping[str, ReplayedGroup]

    def notes(self) -> tuple[str, ...]:
        """What a reader should know."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        yield (
            f"Replayed on {self.rows:,} of {write_count(self.logged, 'logged request')}, the "
            f"challenger changes {self.changed:.2%} of the answers ({self.to_positive:.2%} to "
            f"positive) and moves the mean score by {self.score_shift:+.4f}."
        )
        if self.segments:
            name, group = max(self.segments.items(), key=lambda entry: entry[1].changed)
            yield f"Most answers change in segment {name}: {group.changed:.2%} of {group.rows:,}."
