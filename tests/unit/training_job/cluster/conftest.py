"""A cluster in the test's own process."""

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from training_job.cluster.cluster import Cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Two workers."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as local,
        Client(local) as client,
    ):
        yield Cluster(client)
