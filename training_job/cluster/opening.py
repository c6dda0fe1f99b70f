"""Open the cluster of a step: one that is there already, or one that ends with the step."""

import contextlib
import time
from collections.abc import Callable, Iterator

import dask
from distributed import Client, LocalCluster
from distributed.utils import get_ip

from domain.plural import write_count
from training_job.cluster.cluster import Cluster, quiet
from training_job.cluster.engine import Engine
from training_job.cluster.tasks import QUIET, WorkerTasks
from training_job.errors import BadInput, Interrupted

CONNECT_SECONDS = 30.0
START_SECONDS = 600.0
"""How long workers may take to start: provisioning, pulling the image, and importing."""
POLL_SECONDS = 0.5


@contextlib.contextmanager
def open_cluster(
    engine: Engine, tasks: WorkerTasks, say: Callable[[str], None]
) -> Iterator[Cluster]:
    """A cluster with at least one worker; raises BadInput or Interrupted.

    Of a step's own cluster this process holds the scheduler, so that it ends with the step.
    """
    quiet()
    dask.config.set(QUIET)
    if engine.scheduler:
        with _connect(engine.scheduler) as cluster:
            _wait(cluster, 1, say)
            yield cluster
        return
    count = engine.workers * tasks.processes
    host = get_ip()
    with (
        LocalCluster(n_workers=0, host=host, scheduler_port=0, dashboard_address=":0") as scheduler,
        _connect(scheduler.scheduler_address) as cluster,
        tasks.running(engine.workers, scheduler.scheduler_address),
    ):
        _wait(cluster, count, say)
        yield cluster


@contextlib.contextmanager
def _connect(address: str) -> Iterator[Cluster]:
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError):
        raise BadInput(
            f"No Dask scheduler answers at {address}: correct the address, or leave it out and say"
            " how many workers the step shall start."
        ) from None
    with client:
        yield Cluster(client)


def _wait(cluster: Cluster, count: int, say: Callable[[str], None]) -> None:
    """Wait until so many workers are connected."""
    deadline = time.monotonic() + START_SECONDS
    while cluster.workers < count:
        if time.monotonic() > deadline:
            raise Interrupted(
                f"Only {cluster.workers} of {write_count(count, 'worker')} connected within"
                f" {START_SECONDS / 60:.0f} minutes. Start the step again."
            )
        time.sleep(POLL_SECONDS)
    say(f"ready with {write_count(cluster.workers, 'worker')}")
