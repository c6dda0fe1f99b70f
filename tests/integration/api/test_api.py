"""The deployed API against its own OpenAPI document, by schemathesis."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from ops.api import Api
from ops.commands.data import trace
from ops.commands.data.query import query
from ops.laptop import ROOT
from ops.target import Target
from tests.unit.domain.contract.test_contract import VALID

HOOKS = "tests.integration.schemathesis_hooks"


def test_wrong_methods_are_405_at_the_gateway_too(api: Api) -> None:
    for method, path, allowed in (("DELETE", "/predict", "POST"), ("POST", "/health", "GET")):
        status, headers = _call(api, method, path)
        assert (405, allowed) == (status, headers["Allow"])


def test_an_explanation_comes_through_the_gateway(api: Api) -> None:
    status, answer = api.post("/predict?explain=true", VALID, idempotency_key="a")
    assert (200, list(VALID)) == (status, list(answer["explanation"]["contributions"]))
    assert 400 == api.post("/predict?explain=maybe", VALID, idempotency_key="a")[0]


def test_labels_are_joined_in_athena_by_the_documented_views(api: Api, target: Target) -> None:
    answers = [api.post("/predict", VALID, idempotency_key=str(n))[1] for n in range(4)]
    ids = [answer["prediction_id"] for answer in answers]
    unknown = "00000000-0000-4000-8000-000000000000"
    labels = [
        {"prediction_id": ids[0], "diabetes": True, "observed_at": "2026-01-02T00:00:00Z"},
        {"prediction_id": ids[0], "diabetes": False, "observed_at": "2026-01-01T00:00:00Z"},
        {"prediction_id": ids[1].upper(), "diabetes": False},
        {"prediction_id": unknown, "diabetes": True},
    ]
    assert (200, {"accepted": 4}) == api.post("/labels", {"labels": labels}, idempotency_key="l")

    wanted = ", ".join(f"'{i}'" for i in (*ids, unknown))
    sql = f"SELECT prediction_id, label FROM labelled WHERE prediction_id IN ({wanted})"  # noqa: S608 - ids of our own
    _, joined = query(target, sql)
    assert {ids[0]: "true", ids[1]: "false"} == {i: str(label).lower() for i, label in joined}

    header, days = query(target, "label_coverage")
    assert [
        "day",
        "predictions",
        "labelled",
        "coverage",
        "right_answers",
        "unknown_labels",
    ] == header
    totals = [sum(int(float(day[n] or 0)) for day in days) for n in (1, 2, 5)]
    assert (True, True, True) == (totals[0] >= 4, totals[1] >= 2, totals[2] >= 1)


def test_context_is_logged_labels_find_it_by_reference_and_a_trace_replays_it(
    api: Api, target: Target
) -> None:
    context = {"Visit": "O'Hara, 17", "patient": "p-1", "Site": "south"}
    bodies = [VALID | {"context": context}, VALID | {"age": 71, "context": context}]
    answers = api.post("/predict", {"instances": bodies}, idempotency_key="c")[1]["predictions"]
    ids = sorted(answer["prediction_id"] for answer in answers)
    labels = [{"reference": name, "diabetes": True} for name in ("O'Hara, 17", "nobody's")]
    assert (200, {"accepted": 2}) == api.post("/labels", {"labels": labels}, idempotency_key="r")
    sql = "SELECT prediction_id FROM labelled WHERE reference = 'O''Hara, 17' ORDER BY 1"
    assert [[i] for i in ids] == query(target, sql)[1]
    sql = "SELECT subject, site FROM prediction_log WHERE reference = 'O''Hara, 17'"
    assert [["p-1", "south"]] * 2 == query(target, sql)[1]

    answer = trace.run(target, "O'Hara, 17", replay=True)
    assert 0 == answer.status
    assert ids == sorted(found["prediction_id"] for found in answer.data["predictions"])
    assert [True, True] == [found["replay"]["identical"] for found in answer.data["predictions"]]
    status, problem = api.post("/predict", VALID | {"context": {"Site": "x"}}, idempotency_key="d")
    assert (400, "#/context/Site") == (status, problem["errors"][0]["pointer"])


def test_older_records_stay_readable_beside_newer_ones(api: Api, target: Target) -> None:
    """A record from before two columns existed, one delivered and one in the fallback."""
    assert 200 == api.post("/predict", VALID, idempotency_key="newer")[0]
    old = {"prediction_id": "old", "predicted_at": 1, "model_version": "1-a", "probability": 0.5}
    predictions = target.bucket("predictions")
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([old]), file)
    predictions.put("log/dt=2026-01-01/old.parquet", file.getvalue())
    line = json.dumps(old | {"prediction_id": "older"}).encode()
    predictions.put("fallback/log/dt=2026-01-01/old.jsonl", line + b"\n")
    newer = old | {"prediction_id": "new", "threshold": 0.5, "source": "api", "sample_key": 1}
    newer |= {"predicted": True, "contract_version": "c"}
    line = json.dumps(newer).encode()
    predictions.put("fallback/log/dt=2026-01-02/new.jsonl", line + b"\n")

    _, rows = query(
        target,
        "SELECT dt, prediction_id, threshold, source FROM predictions "
        "WHERE model_version = '1-a' ORDER BY dt, prediction_id",
    )
    assert [
        ["2026-01-01", "old", None, None],
        ["2026-01-01", "older", None, None],
        ["2026-01-02", "new", "0.5", "api"],
    ] == rows
    _, counts = query(target, "SELECT count(*) - count(age) FROM prediction_log WHERE age IS NULL")
    assert [["1"]] == counts


def test_some_hundred_generated_requests_keep_to_the_document(api: Api, tmp_path: Path) -> None:
    report = _schemathesis(api, tmp_path, "--phases", "coverage,fuzzing", "-n", "15")
    assert report["test_cases"]["generated"] >= 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_thousands_of_generated_requests_keep_to_the_document(
    api: Api, tmp_path: Path, seed: int
) -> None:
    report = _schemathesis(api, tmp_path, "-n", "400", seed=seed)
    assert report["test_cases"]["generated"] >= 1_000  # of each of three seeds


def _schemathesis(api: Api, folder: Path, *options: str, seed: int = 1) -> dict[str, Any]:
    """Run with every check and through every failure; the report of a run without one."""
    path = folder / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json"),
            *("--url", api.url, "--header", f"x-api-key: {api.key}", "--checks", "all"),
            *("--include-path-regex", "^/(predict|labels|model|health|openapi.json)$"),
            *("--continue-on-failure", "--no-shrink", "--seed", str(seed)),
            # Fifty records are fifty objects on the emulator; the gateway itself waits 29 s.
            *("--request-timeout", "60", "--max-response-time", "29"),
            *("--suppress-health-check", "all"),
            *("--report", "json", "--report-json-path", str(path), *options),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-8_000:] + done.stderr[-2_000:]
    report: dict[str, Any] = json.loads(path.read_text())
    assert (True, [], []) == (report["complete"], report["failures"], report["errors"])
    return report


def _call(api: Api, method: str, path: str) -> tuple[int, Mapping[str, str]]:
    answer = requests.request(method, api.url + path, headers={"x-api-key": api.key}, timeout=60)
    return answer.status_code, answer.headers
