"""How commands speak: answers on stdout, progress and hints on stderr."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ops.errors import OpsError

if TYPE_CHECKING:  # Rich takes a tenth of a second to import, and --help needs little of it
    from rich.console import RenderableType
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.table import Table
    from rich.text import Text

UNLIMITED_WIDTH = 10_000
"""Columns of a pipe or file: nothing is wrapped or cut there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command found.

    `data`: for ``--json``. `shown`: for people. `next_step`: a hint for stderr. `status`: the exit
    status, for a command that worked and found problems.
    """

    data: Any
    shown: Sequence["RenderableType"]
    next_step: str = ""
    status: int = 0


class Progress:
    """A live line with elapsed time on a terminal; elsewhere a line at each quarter of the way.

    Without a `total` only the notes and the elapsed time are shown.
    """

    def __init__(self, label: str, *, total: int | None = None, unit: str = " rows") -> None:
        self._label, self._total, self._done, self._quarter = label, total, 0, 0
        self._unit, self._note, self._detail = unit, "", ""
        self._began: float | None = None
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        if sys.stderr.isatty():
            self._bar, self._task = _bar(label, total, unit)
            self._bar.start()

    def detail(self, text: str) -> None:
        """Show this beside the progress from now on, e.g. ``best log loss 0.081``."""
        if self._began is None:
            self._began = time.monotonic()
        if self._bar is not None and self._task is not None and text != self._detail:
            self._bar.update(self._task, detail=text)
        self._detail = text

    def _time_left(self) -> str:
        """The remaining time, from the pace since `detail` was first called; empty before that."""
        if self._began is None or not self._total or self._done >= self._total:
            return ""
        seconds = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        return f"about {seconds:.0f} s left"

    def advance(self, count: int = 1) -> None:
        """Count this much more as done."""
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count)
            return
        if self._total:
            quarter = 4 * self._done // self._total
            if quarter > self._quarter:
                self._quarter = quarter
                parts = [f"{self._done:,} of {self._total:,}{self._unit}", self._detail]
                self._write_line(", ".join(filter(None, [*parts, self._time_left()])))

    def reach(self, done: int) -> None:
        """Set how much is done in total."""
        if done > self._done:
            self.advance(done - self._done)

    def note(self, text: str) -> None:
        """Show what is going on now; a repeated note is shown once."""
        if text == self._note:
            return
        self._note = text
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=f"{self._label}: {text}")
        else:
            self._write_line(text)

    def _write_line(self, text: str) -> None:
        write_line(f"{self._label}: {text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(label: str, total: int | None, unit: str) -> "tuple[Bar, TaskID]":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bar

    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}")]
    if total is not None:
        columns += [BarColumn(), MofNCompleteColumn(), TextColumn(unit.strip())]
    columns += [TextColumn("{task.fields[detail]}"), TimeElapsedColumn()]
    bar = Bar(*columns, console=Console(file=sys.stderr), transient=True)
    return bar, bar.add_task(label, total=total, detail="")


@dataclass(slots=True)
class Checklist:
    """The stations of a long command: each is announced, and ends with its result and times."""

    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    @contextmanager
    def station(self, name: str) -> "Iterator[Station]":
        """Announce and time one station; one that fails is marked, and not counted."""
        began, station = time.monotonic(), Station()
        write_line(f"[{began - self._began:4.0f} s]   {name} ...")
        try:
            yield station
        except BaseException:
            write_line(f"[{time.monotonic() - self._began:4.0f} s] \N{BALLOT X} {name}")
            raise
        ended = time.monotonic()
        self.seconds[name] = round(ended - began, 1)
        result = f": {station.result}" if station.result else ""
        line = f"\N{CHECK MARK} {name}{result} ({self.seconds[name]:g} s)"
        write_line(f"[{ended - self._began:4.0f} s] {line}")


@dataclass(slots=True)
class Station:
    """One station; `result` is a short phrase that its code sets."""

    result: str = ""


def table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> "Table":
    """Columns for a terminal; control characters of values are replaced."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )
    for name in header:
        made.add_column(Text(_clean(name)), overflow="fold")
    for row in rows:
        made.add_row(*(Text(_clean(cell)) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, str]]) -> "Text":
    """Names and values, one pair a line."""
    from rich.text import Text

    listed = list(pairs)
    width = max((len(name) for name, _ in listed), default=0)
    lines = [
        Text.assemble("  ", (name.ljust(width), "bold"), "  ", _clean(value))
        for name, value in listed
    ]
    return Text("\n").join(lines)


def _clean(cell: str | None) -> str:
    text = "" if cell is None else cell
    return "".join(c if c.isprintable() else "?" for c in text)


def write_answer(answer: Answer, *, as_json: bool) -> None:
    """Print the answer's data as JSON, or what a person reads; raises BrokenPipeError."""
    if as_json:
        print(json.dumps(answer.data, indent=2, default=str, ensure_ascii=False), flush=True)
    else:
        for part in answer.shown:
            sys.stdout.write(render(part))
        sys.stdout.flush()


def render(part: "RenderableType") -> str:
    """The text of a table, facts or a sentence for stdout, in colour on a terminal only."""
    from rich.console import Console
    from rich.text import Text

    text = Text(part) if isinstance(part, str) else part
    width = None if sys.stdout.isatty() else UNLIMITED_WIDTH
    console: Console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as captured:
        # The terminal wraps texts itself, so that a long link stays one link when it is copied.
        console.print(text, soft_wrap=isinstance(text, Text))
    return "".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines())


def require_yes(question: str, command: str) -> None:
    """Ask on stderr; raises OpsError unless the answer is yes.

    `command`: the one that doesn't ask, for whoever has no terminal.
    """
    import typer

    if not sys.stdin.isatty():
        raise OpsError(f"{question} There is no terminal to ask.", command)
    if not typer.confirm(question, err=True):
        raise OpsError("Nothing was deleted.", command)


def write_line(text: str) -> None:
    """Print a line about the work on stderr; a reader that stops reading early is no failure."""
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
