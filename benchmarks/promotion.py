"""Measure a promotion and a rollback after 1,500 earlier ones: requests to S3, and seconds.

They run against an emulator that the benchmark starts, with a registry in memory.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.s3 import Bucket
from benchmarks.harness import Figure, main
from domain import keys, times
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.scorer import Forest
from ops.laptop import ROOT, Laptop
from ops.local import emulator
from ops.local.processes import free_port
from training_job.inputs import ExecutionInput, State
from training_job.promotion.choice import Choice
from training_job.promotion.promote import promote

if TYPE_CHECKING:
    from adapters.registry import Tracking

ENTRIES = 1_500


class Registry:
    """MLflow's registry, without its server."""

    def __init__(self, models: list[ModelRef]) -> None:
        self.hashes = {keys.registry_number(model.version): model.sha256 for model in models}
        self.alias: str | None = None

    def sha256_of(self, number: str) -> str | None:
        """The hash of a registered version."""
        return self.hashes.get(number)

    def champion(self) -> str | None:
        """The number that the alias names."""
        return self.alias

    def set_champion(self, number: str) -> None:
        """Point the alias at a number."""
        self.alias = number


def measure(_: int) -> Iterator[Figure]:
    """Fill a ledger, promote a new version, and go back; nothing in it is random."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        laptop = Laptop(folder=Path(name), aws_port=free_port(), mlflow_port=free_port())
        emulator.start(laptop, os.environ)
        try:
            os.environ.update(laptop.aws_env())
            yield from _measure()
        finally:
            emulator.stop(laptop)


def _measure() -> Iterator[Figure]:
    from adapters import aws

    client = aws.client("s3", connections=16)
    client.create_bucket(Bucket="models")
    bucket, models = Bucket(client, "models"), []
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    for number in (1, 2, 3):
        leaf = Forest(0.0, (0,), (-1,), (float(number),), (0,), (0,), (1,), (1.0,))
        content = Bundle(contract, leaf, 0.5).to_bytes()
        models.append(ModelRef.of(number, digest(content)))
        bucket.put(models[-1].bundle_key, content)
    _fill(bucket, models)
    registry: Any = Registry(models)
    requests: list[str] = []
    client.meta.events.register("before-send.s3", lambda **_: requests.append(""))
    for name, asked in (
        ("promotion", ExecutionInput(promote_version=models[2].version)),
        ("rollback", ExecutionInput(rollback=True)),
    ):
        requests.clear()
        began = time.perf_counter()
        _promote(bucket, registry, asked, name)
        seconds = time.perf_counter() - began
        yield Figure(f"{name} after {ENTRIES:,}: requests to S3", len(requests), "", "<= 25")
        yield Figure(f"{name} after {ENTRIES:,}: seconds", seconds, "s")


def _fill(bucket: Bucket, models: list[ModelRef]) -> None:
    """A ledger in which two versions took turns."""
    champion, entries = None, []
    for number in range(ENTRIES):
        champion = Champion.successor(
            champion, models[number % 2], action="promote", execution=f"old-{number}", now=1
        )
        entries.append(LedgerEntry.of(champion, ("Better.",)))
    assert champion is not None
    bucket.put(keys.CHAMPION, champion.to_json())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda entry: bucket.put(entry.key, entry.to_json()), entries))
    list(bucket.list(keys.LEDGER))


def _promote(bucket: Bucket, registry: "Tracking", asked: ExecutionInput, execution: str) -> None:
    # An execution that starts long after the old entries were written.
    started_at = time.time_ns() // 1_000_000 + 2 * times.CLOCK_SKEW_MS
    made = promote(
        models=bucket,
        tracking=registry,
        choice=Choice.of(bucket, State(asked, {})),
        execution=execution,
        say=lambda _: None,
        started_at=started_at,
    )
    assert made.promoted


if __name__ == "__main__":
    main("promotion", measure)
