"""What a list of deployments says about each."""

from dataclasses import asdict, replace

from adapters.deployment_status import read_status
from adapters.s3 import Bucket
from domain import keys
from domain.deployment_status import DeploymentStatus
from domain.drift.alert_state import AlertState
from domain.drift.drift import Outcome
from domain.drift.incident import Incident
from domain.drift.run_index import IndexEntry, RunIndex
from domain.model.champion import Champion

RUN = IndexEntry(
    run_id="20260131T000000Z--20260201T000000Z--7-0a1b2c3d",
    version="7-0a1b2c3d",
    start=0,
    end=86_400_000,
    computed_at=86_400_001,
    scheduled=True,
    outcome=Outcome.DATA_DRIFT,
    rows=1000,
    drifted=("age",),
    reports=(),
    mail="sent",
)
EMPTY = DeploymentStatus(target="ill", api_url="https://a")


def _read(bucket: Bucket) -> DeploymentStatus:
    return read_status(models=bucket, reports=bucket, target="ill", api_url="https://a")


def test_a_new_deployment_has_neither_champion_nor_verdict(moto_bucket: Bucket) -> None:
    assert EMPTY == _read(moto_bucket)


def test_it_is_what_pointer_index_and_alert_state_say(moto_bucket: Bucket) -> None:
    older = replace(RUN, run_id="older", end=RUN.start, outcome=Outcome.STABLE)
    index = RunIndex().with_run(RUN).with_run(older)
    moto_bucket.put(keys.RUN_INDEX, index.to_json())
    incident = Incident(opened_at=RUN.end, drifted=("age",), outcome=Outcome.DATA_DRIFT)
    moto_bucket.put(keys.ALERT_STATE, AlertState(incident=incident).to_json())
    version, sha256 = "7-0a1b2c3d", "0a1b2c3d" + "0" * 56
    champion = Champion(
        seq=1,
        version=version,
        bundle_key=keys.bundle(version),
        sha256=sha256,
        previous=None,
        action="promote",
        execution="e",
        promoted_at=1,
    )
    moto_bucket.put(keys.CHAMPION, champion.to_json())
    expected = {"champion": champion.version, "outcome": Outcome.DATA_DRIFT, "incident": ("age",)}
    assert asdict(EMPTY) | expected | {"window_end": RUN.end} == asdict(_read(moto_bucket))


def test_a_closed_incident_is_none(moto_bucket: Bucket) -> None:
    moto_bucket.put(keys.ALERT_STATE, AlertState(incident=Incident(drifted=("age",))).to_json())
    assert () == _read(moto_bucket).incident


def test_what_is_damaged_is_a_problem_and_hides_nothing_else(moto_bucket: Bucket) -> None:
    for key in (keys.CHAMPION, keys.ALERT_STATE):
        moto_bucket.put(key, b"{")
    moto_bucket.put(keys.RUN_INDEX, RunIndex().with_run(RUN).to_json())
    found = _read(moto_bucket)
    assert (None, Outcome.DATA_DRIFT, 2) == (found.champion, found.outcome, len(found.problems))
