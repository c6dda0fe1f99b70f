"""Read a deployment's status from its buckets."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.deployment_status import DeploymentStatus
from domain.drift.alert_state import AlertState
from domain.drift.run_index import RunIndex
from domain.errors import BadRecord


def read_status(*, models: Bucket, reports: Bucket, target: str, api_url: str) -> DeploymentStatus:
    """Read pointer, index of runs and alert state; a damaged one becomes a problem."""
    problems: list[str] = []
    champion, index, alerts = None, RunIndex(), AlertState()
    with _noting(problems):
        champion = ModelStore(models).read_champion()
    with _noting(problems):
        index = reports.read(keys.RUN_INDEX, RunIndex.from_json) or index
    with _noting(problems):
        alerts = reports.read(keys.ALERT_STATE, AlertState.from_json) or alerts
    last = next(iter(index.entries), None)
    return DeploymentStatus(
        target=target,
        api_url=api_url,
        champion=champion.version if champion else None,
        outcome=last.outcome if last else None,
        window_end=last.end if last else None,
        incident=alerts.worst.drifted if alerts.worst.is_open else (),
        problems=tuple(problems),
    )


@contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except BadRecord as error:
        problems.append(str(error))
