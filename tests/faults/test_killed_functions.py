"""Predictor and drift function, killed as processes at their calls, and repeated as AWS repeats.

Both are the functions' own handlers with their own environment variables and clients.
"""

import json
import os
import random
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from adapters import aws
from lambdas.drift import handler as drift_function
from lambdas.predictor import handler as predictor
from lambdas.predictor.settings import Settings as PredictorSettings
from monitoring_job.reports import reports
from monitoring_job.settings import Settings as DriftSettings
from tests.faults.invariants import Allowed
from tests.faults.proxy import Fault, Plan
from tests.faults.site import CONFIGURATION_SET, SENDER
from tests.faults.stage import Stage
from tests.faults.story import DAY, HOUR, REQUEST_ROWS, Prediction
from tests.faults.victims import run_victim
from tests.unit.fakes import api_event
from tests.unit.patients import patients

SEEDS = int(os.environ.get("FAULT_SEEDS", "5"))
SEEDED = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, SEEDS))]
KILLS_PER_SEED = 3
Moment = Literal["kill before", "kill after"]
MOMENTS: tuple[Moment, ...] = ("kill before", "kill after")
SECRET = json.dumps({"current": "s" * 40, "previous": ""})
PAGES = ("data_drift", "prediction_drift", "target_drift", "performance")


def _predict(environ: Mapping[str, str], event: Mapping[str, Any]) -> dict[str, Any]:
    os.environ.update(environ)
    return dict(predictor.handler(event, None))


def _run_drift(environ: Mapping[str, str], event: Mapping[str, Any], owner: str) -> dict[str, Any]:
    os.environ.update(environ)
    for name in PAGES:  # a page takes seconds to draw, and makes no call
        setattr(reports, name, lambda **_: "<p>page</p>")
    return drift_function.handler(event, SimpleNamespace(aws_request_id=owner))


def _choose_kills(calls: int, rng: random.Random) -> list[tuple[int, Moment]]:
    places = [(number, moment) for number in range(1, calls + 1) for moment in MOMENTS]
    return rng.sample(places, min(KILLS_PER_SEED, len(places)))


def _plan(number: int, moment: Moment) -> Plan:
    return Plan(Fault(operation="any", kind=moment), frozenset({number}))


def _proxied(stage: Stage) -> dict[str, str]:
    """The clients of a child go through the proxy."""
    return {"AWS_ENDPOINT_URL": stage.clients.s3.meta.endpoint_url}


@pytest.mark.parametrize("seed", SEEDED)
def test_a_killed_predictor_loses_no_answered_prediction(stage: Stage, seed: int) -> None:
    story, rng = stage.direct_story(), random.Random(seed)
    story.promote_version(1, replaces=0)
    settings = PredictorSettings(
        models_bucket=story.site.name,
        predictions_bucket=story.site.name,
        log_stream=story.site.stream("log"),
        metrics_namespace="stories",
        operator_command="ops",
        champion_seconds=0.0,
    )
    environ = settings.to_env() | _proxied(stage)
    rows = patients(REQUEST_ROWS, seed=5).drop(columns="diabetes").to_dict("records")

    def ask() -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return api_event("POST", "/predict", json.dumps({"instances": rows}), headers=headers)

    def answer(event: Mapping[str, Any]) -> None:
        found = run_victim(stage.faults, _predict, environ, event)
        assert 200 == found["statusCode"], found
        story.answered.extend(
            Prediction(p["prediction_id"], p["probability"], p["model_version"])
            for p in json.loads(found["body"])["predictions"]
        )

    answer(ask())
    for number, moment in _choose_kills(len(stage.faults.calls), rng):
        event, plan = ask(), _plan(number, moment)
        assert run_victim(stage.faults, _predict, environ, event, plan=plan) is None
        assert 1 == plan.met
        answer(event)
        assert [] == stage.find_problems(story), (number, moment)


@pytest.mark.parametrize("seed", SEEDED)
def test_a_killed_drift_function_tells_once_of_every_run(stage: Stage, seed: int) -> None:
    calls = _detect(stage, None)
    for number, moment in _choose_kills(calls, random.Random(seed)):
        _detect(stage, _plan(number, moment))


def _detect(stage: Stage, plan: Plan | None) -> int:
    """A scheduled run over a day that has drifted; returns how many calls it made."""
    story = stage.direct_story()
    story.promote_version(1, replaces=0)
    story.log_day(1, older=30.0)
    story.mails = 1
    secrets = aws.client("secretsmanager")
    secret = secrets.create_secret(Name=story.site.name, SecretString=SECRET)
    settings = DriftSettings(
        models_bucket=story.site.name,
        predictions_bucket=story.site.name,
        reports_bucket=story.site.name,
        event_bus="default",
        topic_arn=story.site.topic_arn,
        report_secret_arn=secret["ARN"],
        api_url="https://api.example.org/v1",
        mail_from=SENDER,
        mail_to=story.site.recipient,
        configuration_set=CONFIGURATION_SET,
        metrics_namespace="stories",
        stage="dev",
        operator_command="ops",
        minimum_rows=REQUEST_ROWS,
    )
    start = story.began - HOUR - DAY
    event = {"start": start.isoformat(), "end": (start + DAY).isoformat(), "scheduled": True}
    args = (settings.to_env() | _proxied(stage), event, "invocation")
    allowed = Allowed()
    if plan is not None:
        assert run_victim(stage.faults, _run_drift, *args, plan=plan) is None
        assert 1 == plan.met
        allowed = Allowed(mails=2 if _died_between_sending_and_noting(stage, plan) else 1)
    assert run_victim(stage.faults, _run_drift, *args) is not None
    calls = len(stage.faults.calls)
    assert [] == stage.find_problems(story, allowed=allowed), plan
    return calls


def _died_between_sending_and_noting(stage: Stage, plan: Plan) -> bool:
    done = stage.faults.calls if plan.fault.kind == "kill after" else stage.faults.calls[:-1]
    written = [call for call in done if call not in ("s3 get", "s3 head", "s3 list")]
    return written[-1:] == ["ses post"]
