"""The drift function's clients."""

from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from lambdas.drift.clients import open_stores
from tabular.log_objects import PARALLEL


def test_parts_of_a_large_object_and_small_objects_beside_it_have_a_connection_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    stores = open_stores.__wrapped__(_Settings())
    client: Any = stores.predictions.client
    assert (
        PARALLEL + TransferConfig().max_request_concurrency
        == client.meta.config.max_pool_connections
    )


def test_large_windows_are_queried_where_there_is_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings = _Settings()
    assert open_stores.__wrapped__(settings).queries is None
    settings.database, settings.workgroup = "circle_dev", "circle-dev"
    queries = open_stores.__wrapped__(settings).queries
    assert queries is not None
    assert (7, "circle_dev") == (queries.from_rows, queries.athena.database)


class _Settings:
    models_bucket = predictions_bucket = reports_bucket = "bucket"
    athena_rows = 7
    database: str | None = None
    workgroup: str | None = None
