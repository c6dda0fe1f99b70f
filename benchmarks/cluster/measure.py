"""Measure preparing, training and answering made-up rows on one worker, on two, and on no cluster.

The figures are CPU seconds of the step and its workers together, so that other load hardly matters:
what two workers take more than one is what sharing the work costs.
"""

import functools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, measure_alone, read_peak
from benchmarks.scale import PARAMS
from domain import keys
from domain.contract.contract import Contract
from ops.commands.data import sample_data
from ops.laptop import ROOT

if TYPE_CHECKING:
    from training_job.evaluation.answers.answering import Models
    from training_job.evaluation.final import Final

ROWS = 4_000_000
FILES = 8
ANSWERS = 20_000_000
ANSWER_PARTS = 40
THRESHOLD = 0.3


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of preparing, fitting and answering the test rows, wall seconds of the first two,
    and the largest worker's peak in bytes.
    """

    dataset_id: str
    prepare: float
    fit: float
    answer: float
    prepare_wall: float
    fit_wall: float
    peak: float


def measure(seed: int) -> Iterator[Figure]:
    """Measure the engines on the same files."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        raw = folder / "data" / keys.RAW
        raw.mkdir(parents=True)
        for number in range(FILES):
            path = raw / f"{number}.csv"
            sample_data.make(rows=ROWS // FILES, seed=seed + number, path=path)
        millions = ROWS / 1e6
        here: Spent = measure_alone(_work_here, folder)[0]
        yield Figure(f"one machine, {millions:g} M rows: prepare", here.prepare, "CPU s")
        yield Figure("one machine: fit", here.fit, "CPU s")
        yield Figure("one machine: answer the test rows", here.answer, "CPU s")
        found: dict[int, Spent] = {}
        for workers in (1, 2):
            found[workers] = spent = measure_alone(_work_on_cluster, folder, workers)[0]
            yield Figure(f"{workers} workers: prepare", spent.prepare, "CPU s")
            yield Figure(f"{workers} workers: prepare, wall", spent.prepare_wall, "s")
            yield Figure(f"{workers} workers: fit", spent.fit, "CPU s")
            yield Figure(f"{workers} workers: fit, wall", spent.fit_wall, "s")
            yield Figure(f"{workers} workers: answer the test rows", spent.answer, "CPU s")
            yield Figure(f"{workers} workers: largest peak", spent.peak / 1e9, "GB", "<= 2.5")
        one, two = found[1], found[2]
        yield Figure("prepare, 2 workers over 1: CPU", two.prepare / one.prepare, "x", "<= 1.15")
        yield Figure("fit, 2 workers over 1: CPU", two.fit / one.fit, "x", "<= 1.15")
        yield Figure("prepare, 1 worker over none: CPU", one.prepare / here.prepare, "x", "<= 1.25")
        yield Figure("fit, 1 worker over none: CPU", one.fit / here.fit, "x", "<= 1.25")
        same = len({here.dataset_id, one.dataset_id, two.dataset_id})
        yield Figure("datasets by id", same, "", "<= 1")
        answers = f"{ANSWERS / 1e6:g} M answers"
        lines, seconds, peak = measure_alone(_add_up, seed, False)
        yield Figure(f"step: CPU seconds to add up {answers}", seconds, "s")
        yield Figure("step: lines that are left", lines / 1e6, "million")
        yield Figure("step: peak memory", peak / 1e9, "GB")
        lines, seconds, peak = measure_alone(_add_up, seed, True)
        yield Figure(f"step: CPU seconds to add up {answers} with weights", seconds, "s")
        yield Figure("step, with weights: lines that are left", lines / 1e6, "million")
        yield Figure("step, with weights: peak memory", peak / 1e9, "GB", "<= 1.5")


def make_options(folder: Path) -> Any:
    """Arguments of `prepare`, for a data bucket in that folder."""
    return {
        "contract": Contract.parse((ROOT / "contract.toml").read_text()),
        "bucket": FolderS3(folder).bucket("data"),
        "raw_prefix": keys.RAW,
        "salt": "scale",
        "bad_row_share": 0.01,
        "execution": "cluster",
        "say": lambda _: None,
    }


def _work_here(folder: Path) -> tuple[Spent, float]:
    from training_job.dataset.prepare import prepare
    from training_job.evaluation.answers.answering import answer_side
    from training_job.evaluation.final import fit_final

    options = make_options(folder)
    began, clock = time.process_time(), time.monotonic()
    made = prepare(**options)
    prepared, prepared_at = time.process_time(), time.monotonic()
    place = (options["bucket"], made.dataset_id)
    final = fit_final(*place, options["contract"], PARAMS, seed=1)
    fit, fit_wall = time.process_time() - prepared, time.monotonic() - prepared_at
    fitted = time.process_time()
    answer_side(*place, "test", options["contract"], _challenge(final, options["contract"]))
    answer = time.process_time() - fitted
    wall = prepared_at - clock
    return Spent(made.dataset_id, prepared - began, fit, answer, wall, fit_wall, 0), 0.0


def _challenge(final: "Final", contract: Contract) -> "Models":
    """The model with no champion beside it."""
    from domain.model.bundle import Bundle
    from training_job.evaluation.answers.answering import Models
    from training_job.evaluation.incumbent import Incumbent
    from training_job.model.export import export

    fitted = final.fitted
    bundle = Bundle(contract, export(fitted.booster), fitted.threshold)
    return Models(bundle, fitted.booster, Incumbent())


def _work_on_cluster(folder: Path, workers: int) -> tuple[Spent, float]:
    from benchmarks.cluster.worker_processes import ProcessEcs, running
    from training_job.dataset.partitioned.prepare import prepare
    from training_job.evaluation.answers.answering import answer_side_on
    from training_job.evaluation.final import fit_final_on

    def read_cpu(ecs: ProcessEcs) -> float:
        """CPU seconds of this process and of all that the tasks have started."""
        total = time.process_time()
        for task in ecs.processes.values():
            nanny = psutil.Process(task.pid)
            for process in (nanny, *nanny.children(recursive=True)):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    options = make_options(folder)
    data = functools.partial(FolderS3(folder).bucket, "data")
    with running(workers) as (cluster, ecs):
        cluster.client.run(_warm)
        began, clock = read_cpu(ecs), time.monotonic()
        made = prepare(**options, cluster=cluster, open_bucket=data)
        prepared, prepared_at = read_cpu(ecs), time.monotonic()
        place = (options["bucket"], made.dataset_id)
        where: Any = {"cluster": cluster, "open_data": data}
        final = fit_final_on(*place, options["contract"], PARAMS, seed=1, **where)
        fitted, fitted_at = read_cpu(ecs), time.monotonic()
        models = _challenge(final, options["contract"])
        answer_side_on(*place, "test", options["contract"], models, **where)
        answer = read_cpu(ecs) - fitted
        peaks = cluster.client.run(read_peak)
    wall = prepared_at - clock
    peak = max(peaks.values())
    fit, fit_wall = fitted - prepared, fitted_at - prepared_at
    return Spent(made.dataset_id, prepared - began, fit, answer, wall, fit_wall, peak), 0.0


def _add_up(seed: int, weighted: bool) -> tuple[int, float]:
    """Add up answers in the step as workers return them; returns the lines that are left."""
    from training_job.evaluation.answers.answers import Answers
    from training_job.model.scored_lines import ScoredLines

    random = np.random.default_rng(seed)

    def answer_part() -> Answers:
        rows = ANSWERS // ANSWER_PARTS
        scores = (1 / (1 + np.exp(4 - 2.2 * random.normal(size=rows)))).astype(np.float32)
        flags = (random.random(rows) < scores, scores >= THRESHOLD, random.random(rows) < scores)
        groups = np.stack([random.integers(0, 3, rows), random.integers(0, 4, rows)])
        weights = random.lognormal(size=rows) if weighted else None
        lines = ScoredLines.of_rows(scores, flags, groups.astype(np.int16), weights=weights)
        return Answers(lines.condense(), THRESHOLD)

    began = time.process_time()
    found = Answers.add_up(answer_part() for _ in range(ANSWER_PARTS))
    return len(found.lines.codes), time.process_time() - began


def _warm() -> None:
    """Import what one machine has imported before it is measured."""
    import training_job.dataset.partitioned.prepare
    import training_job.model.cluster_fit  # noqa: F401
