"""How commands speak: progress, tables."""

import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class Progress:
    """A progress bar on a terminal; elsewhere a line at each quarter of the way.

    Without a `total` only what is noted is shown.
    """

    def __init__(self, label: str, *, total: int | None = None, unit: str = " rows") -> None:
        self._label, self._total, self._done, self._quarter = label, total, 0, 0
        self._unit, self._note, self._detail = unit, "", ""
        self._began: float | None = None
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(desc=label, total=total, unit=unit, unit_scale=True, leave=False)

    def detail(self, text: str) -> None:
        """Said beside the progress from now on, e.g. ``best F1 0.81``."""
        if self._began is None:
            self._began = time.monotonic()
        if self._bar is not None and text != self._detail:
            self._bar.set_postfix_str(text)
        self._detail = text

    def _time_left(self) -> str:
        """As the work goes on since there is something to tell of it; empty before that."""
        if self._began is None or not self._total or self._done >= self._total:
            return ""
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        return f"about {seconds:.0f} s left"

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        if self._total:
            quarter = 4 * self._done // self._total
            if quarter > self._quarter:
                self._quarter = quarter
                parts = [f"{self._done:,} of {self._total:,}{self._unit}", self._detail]
                self._line(", ".join(filter(None, [*parts, self._time_left()])))

    def reach(self, done: int) -> None:
        """So much is done in all."""
        if done > self._done:
            self.advance(done - self._done)

    def note(self, text: str) -> None:
        """What is going on now; said once."""
        if text == self._note:
            return
        self._note = text
        if self._bar is not None:
            self._bar.set_description(f"{self._label}: {text}")
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        print(f"{self._label}: {text}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Columns aligned for a terminal; control characters of values are replaced."""
    lines = [list(header), *([_clean(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, one a line."""
    listed = list(pairs)
    width = max((len(name) for name, _ in listed), default=0)
    return "\n".join(f"  {name.ljust(width)}  {_clean(value)}" for name, value in listed)


def _clean(cell: str | None) -> str:
    text = "" if cell is None else cell
    return "".join(c if c.isprintable() else "?" for c in text)
