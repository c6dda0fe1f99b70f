"""What every function and step asked of AWS. The last module, so that all others have run.

It takes the flows that no other module takes, and then compares all calls with the table.
"""

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import pytest
import urllib3

from domain import keys
from domain.contract.contract import Contract
from domain.events import SOURCE
from domain.model.proposal import Proposal
from ops.commands.machine import mail
from ops.commands.monitoring.drift import run_drift
from ops.local.processes import wait_until
from ops.target import Target
from tests.e2e.conftest import Circle, brought_up, ops, plant_version, record_calls
from tests.infra.security.documented import is_documented
from tests.recorder.calls import read_committed, read_recorded, write_committed
from tests.repository import CONTRACT_TOML
from tests.unit.monitoring import log, records, scored
from tests.unit.patients import csv, patients

PEOPLE = 20
SUBJECTS = [f"p-{number}" for number in range(PEOPLE)]
SUBJECT = """
[[context]]
name = "patient"
role = "subject"
nullable = true
"""
RAW = f"{keys.RAW}ward.csv"
PATIENCE_SECONDS = 120
MODULES = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {"test_again.py"}
"""The modules that are not slow."""


def _publish(circle: Circle, detail_type: str, detail: Mapping[str, Any]) -> None:
    entry = {
        "EventBusName": circle.target.deployment.event_bus,
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
    }
    circle.target.client("events").put_events(Entries=[entry])


@pytest.fixture(scope="module")
def proposal(circle: Circle) -> Proposal:
    """A model that waits for an approval: this stage asks for none, so its event is made up."""
    champion = circle.target.champion()
    assert champion is not None
    detail = {
        "execution": f"{circle.target.deployment.state_machine_arn}:{uuid.uuid4().hex}",
        "version": champion.version,
        "reasons": ["F1 rises by 0.02."],
        "proposed_at": "2026-01-01T00:00:00Z",
        "hours": 1,
        "token": "t",
    }
    _publish(circle, "PromotionProposed", detail)
    return Proposal.from_detail(detail)


def test_a_proposal_is_recorded_and_mailed_with_its_answer(
    circle: Circle, proposal: Proposal
) -> None:
    reports, key = circle.target.bucket("reports"), keys.proposal(proposal.name)
    assert wait_until(lambda: reports.exists(key), seconds=PATIENCE_SECONDS)
    answer = {"execution": proposal.execution, "version": proposal.version, "reasons": ["No."]}
    _publish(circle, "PromotionRejected", answer)

    def answered() -> bool:
        found = reports.read(key, Proposal.from_json)
        return found is not None and found.answer == "rejected"

    def subjects() -> str:
        return "\n".join(found.subject for found in mail.read_mails(circle.laptop))

    assert wait_until(answered, seconds=PATIENCE_SECONDS)
    assert wait_until(lambda: "was not approved" in subjects(), seconds=PATIENCE_SECONDS)
    assert "waits for your approval" in subjects()


@pytest.fixture(scope="module")
def predicted(circle: Circle, patient: dict[str, Any]) -> str:
    """The id of a prediction."""
    status, answer = circle.api.post("/predict", patient, idempotency_key=uuid.uuid4().hex)
    assert 200 == status, answer
    return str(answer["prediction_id"])


@pytest.mark.usefixtures("proposal")
def test_every_route_of_the_api_answers(
    circle: Circle, patient: dict[str, Any], predicted: str
) -> None:
    link = re.search(
        r"/reports/(?P<run_id>[^/]+)/(?P<report>\w+)\?t=(?P<token>[\w-]+)",
        circle.figures["mail"][0]["opens"][0],
    )
    champion = circle.target.champion()
    assert link is not None
    assert champion is not None
    _, document = circle.api.get("/openapi.json")
    incident = circle.api.get("/monitoring/overview")[1]["incident"]
    bodies = {
        "/predict": patient,
        "/monitoring/acknowledgements": {"kind": "daily", "opened_at": incident["opened_at"]},
        "/labels": {"prediction_id": predicted, "diabetes": True},
        "/monitoring/runs": {"last_rows": 50},
    }
    values = {"run_id": link["run_id"], "report": link["report"], "version": champion.version}
    values |= {"file": "app.js"}
    statuses: dict[str, int] = {}
    routes = [(method, path) for path, item in document["paths"].items() for method in item]
    # Requests for runs come first: one of them is looked at.
    for method, path in sorted(routes, key=lambda route: route[0] != "post"):
        key = uuid.uuid4().hex
        if method == "post":
            status, answer = circle.api.post(path, bodies.pop(path), idempotency_key=key)
            if "follow" in (answer or {}):
                values["id"] = answer["follow"].rsplit("/", 1)[-1]
        else:
            token = f"?t={link['token']}" if path.startswith("/reports/") else ""
            status, _ = circle.api.get(path.format(**values) + token)
        statuses[f"{method} {path}"] = status
    assert {} == bodies
    assert {200, 202} == set(statuses.values()), statuses

    def run_is_done() -> bool:
        _, record = circle.api.get(f"/monitoring/requests/{values['id']}")
        return bool(record["status"] == "done")

    assert wait_until(run_is_done, seconds=PATIENCE_SECONDS)


def test_a_scheduled_run_looks_at_labels_and_at_the_promotion_on_probation(
    circle: Circle, predicted: str
) -> None:
    wanted = circle.target.folder / "labels-wanted.csv"
    drawn = ops(circle.target.folder, "labels-wanted", "--count", "50", "--out", str(wanted))
    assert 0 == drawn.returncode, drawn.stderr
    unseen = plant_version(circle.target, 98, lambda threshold: threshold / 3)
    promoted = ops(circle.target.folder, "promote", unseen.version, "--reason", "A look at it.")
    assert 0 == promoted.returncode, promoted.stderr
    assert predicted
    assert run_drift(circle.target, {"last_rows": 400, "scheduled": True})
    champion = circle.target.champion()
    assert champion is not None
    assert circle.target.bucket("reports").exists(keys.probation(champion.seq))


def test_a_task_that_stopped_without_an_answer_fails_its_state(circle: Circle) -> None:
    (watcher,) = circle.target.resources.names("AWS::Lambda::Function", "TaskWatcher")
    override = {"environment": [{"name": "TASK_TOKEN", "value": "made-up"}]}
    detail = {"lastStatus": "STOPPED", "overrides": {"containerOverrides": [override]}}
    answer = circle.target.client("lambda").invoke(
        FunctionName=watcher, Payload=json.dumps({"detail": detail})
    )
    assert "FunctionError" not in answer  # nobody waits with that token


def test_the_tracking_server_shows_the_files_of_a_training(circle: Circle) -> None:
    url = circle.laptop.mlflow_url
    run_id = str(mlflow.MlflowClient(url).search_model_versions()[0].run_id)
    # The page asks like this; MLflow's client would ask the bucket itself.
    listed = urllib3.request(
        "GET", f"{url}/ajax-api/2.0/mlflow/artifacts/list", fields={"run_id": run_id}
    )
    path = next(entry["path"] for entry in listed.json()["files"] if not entry["is_dir"])
    shown = urllib3.request("GET", f"{url}/get-artifact", fields={"path": path, "run_uuid": run_id})
    assert 200 == shown.status


def test_a_second_training_reads_what_production_has_seen(circle: Circle) -> None:
    done = ops(circle.target.folder, "train", "--trials", "1", "--seed", "7")
    assert 0 == done.returncode, done.stderr + done.stdout


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Path]]:
    """A deployment with rows that say whom they are about, and the folder of its calls."""
    folder = tmp_path_factory.mktemp("erased")
    contract, calls = folder / "contract.toml", folder / "calls"
    contract.write_text(CONTRACT_TOML.read_text() + SUBJECT)
    calls.mkdir()
    laptop = folder / "laptop"
    with brought_up(laptop, record_calls(calls), "--contract", str(contract)) as target:
        frame = patients(PEOPLE, seed=3).astype(object)
        frame.insert(0, "patient", SUBJECTS)
        target.bucket("data").put(RAW, csv(frame))
        rows = records(scored(PEOPLE, seed=3), Contract.parse(contract.read_text()), version="1-a")
        subject = rows.schema.get_field_index("subject")
        rows = rows.set_column(subject, "subject", [SUBJECTS])
        log(target.bucket("predictions"), rows)
        yield target, calls


def test_a_person_is_erased_from_data_and_log(erased: tuple[Target, Path]) -> None:
    target, _ = erased
    subjects = target.folder / "subjects.txt"
    subjects.write_text(f"{SUBJECTS[0]}\n")
    done = ops(target.folder, "erase", "--subject-file", str(subjects), "--json")
    assert 0 == done.returncode, done.stderr + done.stdout
    assert 2 == json.loads(done.stdout)["rows"]
    stored = target.bucket("data").get(RAW)
    assert stored is not None
    assert PEOPLE == len(stored.data.splitlines())  # the header and everybody else


def test_the_table_has_exactly_the_calls_that_were_made(
    circle: Circle,
    erased: tuple[Target, Path],
    recorded: Path,
    request: pytest.FixtureRequest,
) -> None:
    target, calls = erased
    made = read_recorded(recorded, circle.target.deployment)
    made |= read_recorded(calls, target.deployment)
    # A slow machine brings about some calls of which others are known to be the cause.
    found = {call for call in made if not is_documented(call)}
    if os.environ.get("UPDATE_CALLS"):
        write_committed(found)
    advice = "UPDATE_CALLS=1 make e2e writes the table"
    assert set() == found - read_committed(), advice
    if MODULES <= {item.path.name for item in request.session.items}:
        assert set() == read_committed() - found, advice
