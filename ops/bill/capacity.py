"""Time, memory and cost of so many rows and predictions, and the settings to choose for them.

Everything follows from the rates of `ops.bill.rates`, in proportion to the rows, and from the
prices of `ops.bill.prices.toml`. What lies beyond the size at which a rate was measured is
extrapolated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from domain.plural import write_count
from domain.schedule import LOOK_BACK_DAYS
from monitoring_job.settings import Settings as DriftSettings
from ops.bill.cost_idle import Stage, fargate_hour, read_prices
from ops.bill.cost_usage import DAYS, GB, estimate_predictions, find_training_task, price_run
from ops.bill.rates import RATES
from training_job.settings import Settings as TrainingSettings


def default(settings: type, name: str) -> Any:
    """The default of a setting."""
    return next(field.default for field in fields(settings) if field.name == name)


TRIALS = int(default(TrainingSettings, "trials"))
Price = Callable[[int, int], float]
"""CPU units and MiB of a task -> USD an hour."""
SIZES = ((2048, 8192), (4096, 16_384), (4096, 30_720), (8192, 61_440), (16_384, 122_880))
"""Tasks to choose from, as CPU units and MiB; workers have the third of them."""
WORKER = SIZES[2]
WORKERS = (2, 4, 8, 16, 32, 64, 128)
LIMIT_HOURS = {"prepare": 2, "tune": 6, "evaluate": 2, "score": 12}
"""How long the state machine lets a step take."""
HEADROOM = 1.25
"""A task's memory over what a step is expected to hold."""
QUERIES = 2
"""Queries of a window that Athena reads, with one model version in it; each may scan all of it."""
TEST_SHARE = 1 / 8
"""Test rows among all."""
PEAK = 3
"""Requests at the busiest time of a day over the average."""
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a training, or a scoring; `hours` by the clock, `gb` in each task."""

    name: str
    hours: float
    gb: float
    usd: float


@dataclass(frozen=True, slots=True)
class Training:
    """What a training of so many rows takes, on the least tasks that will do.

    `workers`: 0 for the engine ``local``. `trials`: fewer than the default where those would take
    longer than the step may.
    """

    rows: int
    cpu: int
    memory: int
    workers: int
    trials: int
    steps: tuple[Step, ...]

    @property
    def gb(self) -> float:
        """The memory of a task."""
        return self.memory / 1024

    @property
    def problems(self) -> tuple[str, ...]:
        """Which steps of the training need more than a task has, as parts of a sentence."""
        steps = [step for step in self.steps if step.name != "score"]
        return (
            *(
                f"{step.name} would hold about {step.gb:.0f} GB, and a task has {self.gb:.0f} GB"
                for step in steps
                if step.gb * HEADROOM > self.gb
            ),
            *(
                f"{step.name} would take about {write_count(round(step.hours), 'hour')}, "
                f"and may take {LIMIT_HOURS[step.name]}"
                for step in steps
                if step.hours > LIMIT_HOURS[step.name]
            ),
        )

    @property
    def usd(self) -> float:
        """The cost of a training, without a scoring."""
        return sum(step.usd for step in self.steps if step.name != "score")

    @property
    def settings(self) -> str:
        """The stage's settings to choose."""
        size = f"training_cpu {self.cpu}, training_memory {self.memory}"
        if not self.workers:
            return size
        trials = f", trials {self.trials}" if self.trials < TRIALS else ""
        return f"{size}, engine dask, workers {self.workers}{trials}"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What so many predictions a day take.

    `daily` and `look_back` say what reads the window of the daily and of the weekly drift run.
    `drift_seconds`: of a daily run; None where Athena reads it, which was measured on no account.
    `..._usd`: a month of drift runs, of single requests, and of scoring the same rows in files.
    """

    count: int
    log_gb: float
    daily: str
    look_back: str
    drift_seconds: float | None
    drift_gb: float
    drift_usd: float
    online_usd: float
    batch_usd: float
    requests_per_second: int
    stream_seconds: int

    @property
    def settings(self) -> str:
        """The stage's settings to choose."""
        return (
            f"requests_per_second {self.requests_per_second:,}, requests_per_day {self.count:,},"
            f" stream_seconds {self.stream_seconds}"
        )


def price_task(stage: Stage, cpu: int, memory: int) -> float:
    """USD an hour of a training task of this size, address included."""
    task = find_training_task(stage) | {"Cpu": str(cpu), "Memory": str(memory)}
    return fargate_hour(task) + read_prices().hour["public_address"]


def plan_training(rows: int, price: Price) -> Training:
    """The smallest tasks on which a training of so many rows ends in time and in memory."""
    for cpu, memory in SIZES:
        found = estimate_local(rows, price, cpu=cpu, memory=memory)
        if not found.problems:
            return found
    for trials in (TRIALS, TRIALS // 3, 1):
        for workers in WORKERS:
            found = estimate_cluster(rows, price, workers=workers, trials=trials)
            if not found.problems:
                return found
    return found


def estimate_local(
    rows: int, price: Price, *, cpu: int, memory: int, trials: int | None = None
) -> Training:
    """What each step takes in one task. Only the search uses more than one vCPU."""
    usd = price(cpu, memory)
    trials = TRIALS if trials is None else trials
    seconds = {
        "prepare": rows / RATES["prepare"].value,
        "tune": trials * rows * RATES["a trial"].value / 100_000 / (cpu / 1024),
        "evaluate": rows * RATES["evaluate"].value / 1e7,
        "score": rows / RATES["score"].value,
    }
    gb = {
        "prepare": _grow("prepare", rows),
        "tune": _grow("evaluate", rows),
        "evaluate": _grow("evaluate", rows),
        "score": RATES["score memory"].value,
    }
    return Training(
        rows=rows,
        cpu=cpu,
        memory=memory,
        workers=0,
        trials=trials,
        steps=tuple(
            Step(name, taken / 3600, gb[name], taken / 3600 * usd)
            for name, taken in seconds.items()
        ),
    )


def estimate_cluster(
    rows: int,
    price: Price,
    *,
    workers: int,
    cpu: int = WORKER[0],
    memory: int = WORKER[1],
    trials: int | None = None,
) -> Training:
    """The same on workers. Each row costs CPU time, which the workers share."""
    trials = TRIALS if trials is None else trials
    cores = workers * cpu / 1024
    usd = (workers + 1) * price(cpu, memory)
    fit = rows * RATES["fit on a worker"].value / 1e6
    answer = rows * TEST_SHARE * RATES["answer test rows on a worker"].value / 1e6
    seconds = {
        "prepare": rows * RATES["prepare on a worker"].value / 1e6 / cores,
        "tune": trials * fit / cores,
        "evaluate": (fit + answer) / cores,
        "score": rows / RATES["score"].value / cores,
    }
    held = _grow("worker", rows // workers)
    gb = {
        "prepare": held,
        "tune": held,
        "evaluate": max(held, RATES["step memory for answers"].value),
        "score": RATES["score memory"].value * cpu / 1024,
    }
    return Training(
        rows=rows,
        cpu=cpu,
        memory=memory,
        workers=workers,
        trials=trials,
        steps=tuple(
            Step(name, taken / 3600, gb[name], taken / 3600 * usd)
            for name, taken in seconds.items()
        ),
    )


def _grow(step: str, rows: int) -> float:
    """Peak memory in GB: a line through the peaks at one and at ten million rows."""
    small, large = (RATES[f"{step} memory, {n} M rows"].value for n in (1, 10))
    return max(small, small + (rows - 1e6) * (large - small) / 9e6)


def plan_predictions(count: int, stage: Stage) -> Predictions:
    """What so many predictions a day take, and the settings of the log."""
    log_gb = count * read_prices().assumed["stored_bytes"] / GB
    daily, seconds, daily_usd = _estimate_run(count, stage)
    look_back, _, weekly_usd = _estimate_run(count * LOOK_BACK_DAYS, stage)
    cpu, memory = SIZES[0]
    scoring = estimate_local(count, partial(price_task, stage), cpu=cpu, memory=memory).steps[-1]
    return Predictions(
        count=count,
        log_gb=log_gb,
        daily=daily,
        look_back=look_back,
        drift_seconds=seconds,
        drift_gb=RATES["drift run memory"].value,
        drift_usd=DAYS * daily_usd + DAYS / 7 * weekly_usd,
        online_usd=sum(line.usd for line in estimate_predictions(stage, count * DAYS)),
        batch_usd=DAYS * scoring.usd,
        requests_per_second=max(1, round(PEAK * count / DAY_SECONDS)),
        stream_seconds=60 if count < 100_000 else 300 if count < 10_000_000 else 900,
    )


def _estimate_run(rows: int, stage: Stage) -> tuple[str, float | None, float]:
    """``(what reads the window, seconds, USD)`` of a drift run."""
    statistics = RATES["drift run"].value
    if rows <= default(DriftSettings, "athena_rows"):
        seconds = statistics + rows / RATES["read the log"].value
        return "streaming", seconds, price_run(stage, "Drift", seconds)
    scanned = QUERIES * rows * read_prices().assumed["stored_bytes"] / GB / 1024
    usd = scanned * read_prices().use["athena_tb"] + price_run(stage, "Drift", statistics)
    return "Athena", None, usd


TRAINING_HEADER = ("rows", "step", "time", "memory of a task", "USD", "settings")
PREDICTIONS_HEADER = (
    "predictions a day",
    "log a day",
    "daily window",
    "28 days",
    "daily run",
    "memory",
    "drift runs, USD a month",
    "requests, USD a month",
    "in files, USD a month",
    "settings",
)
Cells = tuple[str, ...]


def list_training(plan: Training) -> list[Cells]:
    """The lines of a table, one for each step, with its size and settings in the first."""
    head = [(f"{plan.rows:,}", plan.settings), *[("", "")] * len(plan.steps)]
    return [
        (
            size,
            step.name,
            _time(step.hours * 3600),
            f"{step.gb:.1f} GB",
            _usd(step.usd),
            settings,
        )
        for step, (size, settings) in zip(plan.steps, head, strict=False)
    ]


def list_predictions(plan: Predictions) -> Cells:
    """The line of a table."""
    return (
        f"{plan.count:,}",
        _size(plan.log_gb),
        plan.daily,
        plan.look_back,
        "-" if plan.drift_seconds is None else _time(plan.drift_seconds),
        f"{plan.drift_gb:.1f} GB",
        _usd(plan.drift_usd),
        _usd(plan.online_usd),
        _usd(plan.batch_usd),
        plan.settings,
    )


def _usd(usd: float) -> str:
    return "< 0.01" if 0 < usd < 0.01 else f"{usd:,.2f}"


def _size(gb: float) -> str:
    return f"{1024 * gb:.2g} MB" if gb < 0.1 else f"{gb:,.2f} GB" if gb < 1 else f"{gb:,.0f} GB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def to_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a page."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
