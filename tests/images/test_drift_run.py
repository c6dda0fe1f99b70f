"""The drift function's image does a real run over Lambda's runtime interface."""

from collections.abc import Callable
from queue import Empty

import pytest

from domain import keys
from tests.images.conftest import Image, logs
from tests.images.runtime import runtime
from tests.integration.conftest import aws, bucket, emulator  # noqa: F401 - fixtures
from tests.integration.test_drift import CONTRACT, Stage, stage  # noqa: F401 - a fixture
from tests.unit.monitoring import log, records, scored


def test_a_day_of_older_patients_is_judged_and_drawn_under_a_read_only_root(
    image: Callable[[str], Image],
    stage: Stage,  # noqa: F811 - pytest's way
) -> None:
    frame = scored(1_000, seed=2)
    older = frame.assign(age=frame["age"] + 12)
    log(stage.bucket, records(older, CONTRACT, version=stage.version))
    built = image("drift")
    with runtime({"day": "2026-01-31"}) as (address, answers):
        variables = stage.settings.to_env() | stage.laptop.aws_env()
        environ = variables | {"AWS_LAMBDA_RUNTIME_API": address}
        with built.running(environ, "lambdas.drift.handler.handler") as name:
            try:
                kind, document = answers.get(timeout=300)
            except Empty:
                pytest.fail(logs(name))
    assert "response" == kind, document
    [run] = document["runs"]
    assert ("data_drift", 1_000, ["age"]) == (run["outcome"], run["rows"], run["drifted"])
    page = stage.bucket.get(keys.report(run["run_id"], "data_drift"))
    assert page is not None
    assert b"root_metric_" in page.data  # Evidently drew it
