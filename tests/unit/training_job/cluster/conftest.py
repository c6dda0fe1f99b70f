"""A cluster in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from distributed import Client, LocalCluster

from training_job.cluster.cluster import Cluster


@contextmanager
def running(workers: int) -> Iterator[Cluster]:
    """A cluster of so many workers, until the block ends."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None
        ) as local,
        Client(local) as client,
    ):
        yield Cluster(client)


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Two workers."""
    with running(2) as found:
        yield found
