"""Whether a training's tasks are large enough for the rows in raw/, before it starts."""

import os
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from domain import keys
from domain.plural import write_count
from ops.bill.capacity import estimate_cluster, estimate_local, plan_training
from ops.target import Target

if TYPE_CHECKING:
    from adapters.s3 import Bucket, Listed

BEGIN_BYTES = 256 * 1024
"""Of the largest text file, so much is read to find how long a row is."""


def find_shortage(
    target: Target,
    *,
    place: str = keys.RAW,
    trials: int | None = None,
    engine: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> str | None:
    """A sentence when the rows in `place` are too many for the training's tasks; else None.

    What is None is as the stage was deployed. Of another cluster (`scheduler`) nothing is known.
    """
    from botocore.exceptions import ClientError

    try:
        rows = estimate_rows(target.bucket("data"), place)
        task = target.client("ecs").describe_task_definition(taskDefinition=target.names.training)
    except ClientError:  # the training says what is wrong
        return None
    cpu, memory, deployed = _read_task(task["taskDefinition"])
    if target.laptop is not None:  # tasks are processes here
        cpu, memory = 1024 * (os.cpu_count() or 1), _machine_mib()
    if scheduler or deployed.get("SCHEDULER"):
        return None
    tries = trials or int(deployed.get("TRIALS", 0)) or None
    if (engine or deployed.get("ENGINE", "local")) == "local":
        found = estimate_local(rows, _free, cpu=cpu, memory=memory, trials=tries)
    else:
        shared = workers or int(deployed.get("WORKERS", 0)) or 1
        found = estimate_cluster(rows, _free, workers=shared, cpu=cpu, memory=memory, trials=tries)
    if not found.problems:
        return None
    return (
        f"{place} holds about {write_count(rows, 'row')}, too many for this training:"
        f" {'; '.join(found.problems)}. Stop it (python -m ops stop), and choose"
        f" {plan_training(rows, _free).settings} (docs/capacity.md)."
    )


def estimate_rows(bucket: "Bucket", place: str) -> int:
    """Estimate the rows of raw files: of each format by the largest one's rows per byte."""
    files = [entry for entry in bucket.list(place) if keys.is_data(entry.key, place)]
    by_format = {
        ending: [entry for entry in files if entry.key.lower().endswith(ending)]
        for ending in keys.FORMATS
    }
    return sum(_estimate(bucket, found) for found in by_format.values())


def _estimate(bucket: "Bucket", files: Iterable["Listed"]) -> int:
    sizes = {entry.key: entry.size for entry in files if entry.size}
    if not sizes:
        return 0
    largest = max(sizes, key=lambda key: sizes[key])
    return round(_count_per_byte(bucket, largest, sizes[largest]) * sum(sizes.values()))


def _count_per_byte(bucket: "Bucket", key: str, size: int) -> float:
    """Rows per byte of one object; 0 if it can't be read, which preparing will say."""
    if key.lower().endswith(".parquet"):
        from tabular.footers import count_rows

        return (count_rows(bucket, key) or 0) / size
    stored = bucket.get(key, limit=BEGIN_BYTES)
    text = begin = stored.data if stored else b""
    if key.lower().endswith(".gz"):
        try:
            text = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(begin)
        except zlib.error:
            return 0.0
    return text.count(b"\n") / max(1, len(begin))


def _read_task(definition: Mapping[str, Any]) -> tuple[int, int, dict[str, str]]:
    """CPU units, MiB, and the environment of a task definition."""
    (container,) = definition["containerDefinitions"]
    environment = {one["name"]: one["value"] for one in container.get("environment", [])}
    return int(definition["cpu"]), int(definition["memory"]), environment


def _machine_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2


def _free(cpu: int, memory: int) -> float:  # noqa: ARG001 - a price of a task
    return 0.0
