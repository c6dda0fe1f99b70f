"""`simulate`: rows of the champion's test split, sent to the API as patients would come."""

import argparse
import itertools
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain import keys
from domain.contract.contract import Contract
from domain.errors import BadBundle
from ops.api import Api, problem
from ops.console import Progress
from ops.errors import OpsError
from ops.samples import scenarios
from ops.samples.scenarios import Row
from ops.target import Target

MAXIMUM_BATCH = 1000
THREADS = 2
"""Requests under way at once: more would only queue up in front of the emulator's one Firehose."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many rows, how fast, how shifted."""
    parser.add_argument("--rows", type=int, default=1000, help="rows to send (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="rows a second (%(default)s)")
    parser.add_argument("--batch", type=int, default=10, help="rows a request (%(default)s)")
    parser.add_argument("--scenario", choices=scenarios.NAMES, default="none")
    parser.add_argument("--seed", type=int, default=1, help="which rows (%(default)s)")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    sent = simulate(
        target,
        rows=args.rows,
        rate=args.rate,
        batch=args.batch,
        scenario=args.scenario,
        seed=args.seed,
    )
    versions = ", ".join(f"{count:,} by {version}" for version, count in sent.versions.items())
    print(f"{sent.answered:,} of {args.rows:,} rows were answered: {versions or 'none'}.")
    if sent.problems:
        kinds = "; ".join(f"{count:,} x {text}" for text, count in sent.problems.most_common(3))
        raise OpsError(f"Some requests were refused: {kinds}.", target.command("status"))
    return target.command("drift") + f" --last-rows {args.rows}"


@dataclass(slots=True)
class Sent:
    """What the API answered: predictions per model version, refused requests per reason."""

    versions: Counter[str] = field(default_factory=Counter)
    prediction_ids: set[str] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        """Predictions in answers."""
        return self.versions.total()

    def count(self, status: int, body: Any) -> None:
        """Take in one answer."""
        if status != 200:
            self.problems[problem(status, body)] += 1
            return
        for prediction in body["predictions"]:
            self.versions[prediction["model_version"]] += 1
            self.prediction_ids.add(prediction["prediction_id"])


def simulate(
    target: Target, *, rows: int, rate: float, batch: int, scenario: str, seed: int
) -> Sent:
    """Send `rows` rows at `rate` rows a second; raises OpsError for what can't work at all."""
    if rows < 1 or not 1 <= batch <= MAXIMUM_BATCH or not rate > 0:
        raise OpsError(
            f"--rows and --rate must be positive, --batch from 1 to {MAXIMUM_BATCH:,}.",
            "Correct them and run the command again.",
        )
    api = Api(target.deployment.api_url, target.api_key(), connections=THREADS)
    contract, patients = _test_rows(target)
    rng = random.Random(seed)  # noqa: S311 - which rows are sent is no secret
    change = scenarios.shift(scenario, contract)
    chosen = (change(row, rng) for row in itertools.islice(_shuffled(patients, rng), rows))
    sent, key = Sent(), uuid.uuid4().hex
    pending: list[Future[tuple[int, Any]]] = []
    began, submitted = time.monotonic(), 0
    label = f"simulate {scenario}"
    with Progress(label, total=rows) as progress, ThreadPoolExecutor(THREADS) as threads:
        try:
            for number, instances in enumerate(_batches(chosen, batch)):
                time.sleep(max(0.0, began + submitted / rate - time.monotonic()))
                pending.append(
                    threads.submit(
                        api.post,
                        "/predict",
                        {"instances": instances},
                        idempotency_key=f"{key}-{number}",
                    )
                )
                submitted += len(instances)
                # No more than the threads can hold: the rate is a wish, the API decides.
                while len(pending) > 2 * THREADS or (submitted >= rows and pending):
                    sent.count(*pending.pop(0).result())
                    progress.reach(sent.answered)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return sent


def _test_rows(target: Target) -> tuple[Contract, list[Row]]:
    """The champion's contract, and the test rows it was judged on, missing fields left out."""
    import pyarrow.parquet

    champion = target.champion()
    if champion is None:
        raise OpsError("There is no champion yet, so nothing answers.", target.command("train"))
    try:
        contract = target.models.load_bundle(champion.model).contract
    except BadBundle as error:
        raise OpsError(str(error), target.command("rollback")) from None
    dataset_id = target.card(champion.version).dataset_id
    with tempfile.TemporaryDirectory(prefix="simulate-") as folder:
        path = Path(folder) / "test.parquet"
        target.bucket("data").download(keys.dataset(dataset_id, "test"), path)
        columns = [feature.name for feature in contract.features]
        table = pyarrow.parquet.read_table(path, columns=columns)
    rows = table.to_pylist()
    return contract, [{k: v for k, v in row.items() if v is not None} for row in rows]


def _shuffled(rows: list[Row], rng: random.Random) -> Iterator[Row]:
    """Each row once in random order, then all again in another one."""
    while rows:
        yield from rng.sample(rows, len(rows))


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch
