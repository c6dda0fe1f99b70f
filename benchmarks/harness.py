"""What every benchmark shares: its command line, its table, its JSON."""

import argparse
import json
import multiprocessing
import operator
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value and, if there is one, what it must reach."""

    figure: str
    value: float
    unit: str
    target: str = ""
    """Such as ``>= 0.795``; empty when the value is only recorded."""

    @property
    def holds(self) -> bool:
        """Whether the target is reached; true without one."""
        if not self.target:
            return True
        comparison, bound = self.target.split()
        return bool(_COMPARISONS[comparison](self.value, float(bound)))


def main(name: str, measure: Callable[[int], Iterable[Figure]]) -> None:
    """Print each figure of `measure(seed)` once it is measured, write JSON if asked.

    Exits 1 when a target is missed.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args()
    figures = []
    for figure in measure(args.seed):
        print(_line(figure), flush=True)
        figures.append(figure)
    if args.json:
        rows = [asdict(figure) | {"holds": figure.holds} for figure in figures]
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


def measure_alone(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float]:
    """``(result, seconds, bytes at the peak)`` of `work` in a new process.

    `work` returns its result and the seconds that it took, e.g. CPU seconds of the call alone.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, work, arguments))
    process.start()
    sender.close()
    found: tuple[Any, float, float] = receiver.recv()
    process.join()
    return found


def _report(sender: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    result, seconds = work(*arguments)
    sender.send((result, seconds, read_peak()))


def read_peak(pid: int | str = "self") -> int:
    """Bytes of a process's largest resident memory; `ru_maxrss` would begin at its parent's."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return peak


def _line(figure: Figure) -> str:
    """Format a figure: name, value, unit, target, verdict."""
    verdict = ("holds" if figure.holds else "MISSED") if figure.target else ""
    value = f"{figure.value:,.4g}" if abs(figure.value) < 1000 else f"{figure.value:,.0f}"
    return f"{figure.figure:58} {value:>10} {figure.unit:8} {figure.target:10} {verdict}"
