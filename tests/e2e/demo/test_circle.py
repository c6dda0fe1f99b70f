"""The main job, judged by what it left in S3, the registry, the log and the mailbox."""

import io
import json
import re
from typing import Any

import mlflow
import pandas as pd
import pyarrow.parquet as pq
import pytest

from domain import keys
from domain.model.bundle import Bundle
from domain.model.champion import Champion
from ops.commands.data import contract_check, query
from ops.commands.machine import mail
from ops.commands.models import ledger
from tests.browser import chromium
from tests.e2e.conftest import PREDICTIONS, TRIALS, BeforeTraining, Circle, ops
from tests.repository import ROOT

MODEL = "circle-dev-diabetes"


def _champion(circle: Circle) -> Champion:
    champion = circle.target.champion()
    assert champion is not None
    return champion


def _mlflow(circle: Circle) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(circle.laptop.mlflow_url)


def test_without_a_champion_the_api_says_so(before_training: BeforeTraining) -> None:
    for status, body in (before_training.health, before_training.predict):
        assert 503 == status
        assert "train" in body["detail"]


def test_a_window_without_rows_is_a_normal_result_without_mail(
    before_training: BeforeTraining,
) -> None:
    assert ["no_data"] == [found.outcome for found in before_training.drift]
    assert 0 == before_training.mails


def test_the_champion_is_the_same_in_pointer_ledger_and_registry(circle: Circle) -> None:
    champion = _champion(circle)
    name = MODEL
    alias = _mlflow(circle).get_model_version_by_alias(name, "champion")
    (entry,), _ = ledger.read_entries(circle.target)
    assert circle.figures["champion"]["version"] == champion.version
    assert (champion.seq, champion.version, champion.execution) == (
        entry.seq,
        entry.version,
        entry.execution,
    )
    assert keys.registry_number(champion.version) == str(alias.version)
    assert entry.reasons


def test_every_trial_is_an_mlflow_run_with_parameters_and_figures(circle: Circle) -> None:
    client = _mlflow(circle)
    experiment = client.get_experiment_by_name(MODEL)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    trials = [run for run in runs if run.info.run_name.startswith("trial-")]
    assert TRIALS == len(trials)
    for run in trials:
        assert "FINISHED" == run.info.status
        assert {"max_depth", "learning_rate"} <= run.data.params.keys()
        assert {"valid_log_loss", "valid_f1", "seconds", "trees"} <= run.data.metrics.keys()


def test_the_registered_model_has_a_signature_and_its_bundle_is_whole(circle: Circle) -> None:
    champion = _champion(circle)
    stored = circle.target.bucket("models").get(champion.bundle_key)
    assert stored is not None
    bundle = Bundle.from_bytes(stored.data, champion.sha256)
    mlflow.set_tracking_uri(circle.laptop.mlflow_url)
    number = keys.registry_number(champion.version)
    info = mlflow.models.get_model_info(f"models:/{MODEL}/{number}")
    assert info.signature is not None
    assert [f.name for f in bundle.contract.features] == info.signature.inputs.input_names()
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    person = json.loads((ROOT / "examples" / "predict.json").read_text()) | {"bmi": None}
    answer = model.predict(pd.DataFrame([person])).iloc[0].to_dict()
    row = bundle.contract.row(person)
    assert {"probability", "diabetes"} == set(answer)
    assert bundle.probability(row) == answer["probability"]


def test_every_answered_prediction_is_logged_once(circle: Circle) -> None:
    bucket = circle.target.bucket("predictions")
    ids: list[str] = []
    for listed in bucket.list("log/"):
        stored = bucket.get(listed.key)
        assert stored is not None
        ids += pq.read_table(io.BytesIO(stored.data))["prediction_id"].to_pylist()
    assert (2 * PREDICTIONS, 2 * PREDICTIONS) == (len(ids), len(set(ids)))
    _, rows = query.query(circle.target, "SELECT count(*) FROM prediction_log")
    assert [[str(2 * PREDICTIONS)]] == rows


def test_one_run_was_quiet_and_the_other_found_the_shift(circle: Circle) -> None:
    (quiet,), (shifted,) = circle.figures["runs"]["undisturbed"], circle.figures["runs"]["shifted"]
    assert "stable" == quiet["outcome"]
    assert shifted["outcome"] in ("data_drift", "prediction_drift")  # the shift moves both
    assert "hba1c_level" in shifted["drifted"]
    reports = circle.target.bucket("reports")
    for found in (quiet, shifted):
        run_id = keys.RunId.parse(found["run_id"])
        stored = reports.get(keys.summary(run_id))
        assert stored is not None
        assert found["outcome"] == json.loads(stored.data)["outcome"]
        for name in ("data_drift", "prediction_drift"):
            assert reports.get(keys.report(run_id, name)) is not None


def test_one_mail_came_and_it_says_what_drifted_without_patient_data(circle: Circle) -> None:
    (found,) = mail.read_mails(circle.laptop)
    assert "HbA1c" in found.subject
    for body in (found.text, found.html):
        assert "HbA1c" in body
        assert _champion(circle).version in body
    assert circle.figures["mail"][0]["subject"] == found.subject


def test_the_demo_ends_with_an_open_incident_that_the_dashboard_shows(circle: Circle) -> None:
    assert "hba1c_level" in circle.figures["incident"]
    _, shown = circle.api.get("/monitoring/overview")
    assert shown["incident"]["opened_at"] is not None


def _report_link(circle: Circle) -> str:
    (found,) = mail.read_mails(circle.laptop)
    link = re.search(r"https?://\S+/data_drift\?t=[\w-]+", found.text)
    assert link is not None
    return link[0]


def test_the_mails_link_opens_the_report_in_a_browser(circle: Circle) -> None:
    with chromium() as browser:
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(_report_link(circle))
        page.get_by_text("Dataset Drift", exact=True).wait_for(timeout=30_000)
        assert page.get_by_text("HbA1c_level").first.is_visible()
        assert page.url.startswith("http://127.0.0.1:")  # another origin than the API's
        assert [] == errors


@pytest.mark.parametrize("change", [lambda t: t[:-1] + "!", lambda _: "", lambda t: t[::-1]])
def test_a_link_with_another_token_leads_nowhere(circle: Circle, change: Any) -> None:
    link, token = _report_link(circle).split("?t=")
    path = link.removeprefix(circle.api.url)
    assert 404 == circle.api.get(f"{path}?t={change(token)}")[0]


def test_a_request_that_breaks_the_contract_is_refused_field_by_field_and_not_logged(
    circle: Circle, patient: dict[str, Any]
) -> None:
    def logged() -> list[list[str | None]]:
        return query.query(circle.target, "SELECT count(*) FROM prediction_log")[1]

    before = logged()
    bad = {"instances": [patient, {**patient, "age": 999, "gender": "Robot", "shoe_size": 43}]}
    status, body = circle.api.post("/predict", bad, idempotency_key="bad")
    assert 400 == status
    assert {"#/instances/1/age", "#/instances/1/gender", "#/instances/1/shoe_size"} == {
        error["pointer"] for error in body["errors"]
    }
    assert "999" not in json.dumps(body)
    assert "Robot" not in json.dumps(body)
    assert before == logged()


HEADER = "gender,age,hypertension,heart_disease,smoking_history,bmi,HbA1c_level,blood_glucose_level"
ROW = "Female,{age},0,0,{smoking},25.1,6.1,{glucose},{label}"


def _csv(header: str = f"{HEADER},diabetes", **fixed: Any) -> str:
    rows = (
        ROW.format(**{"age": n % 80, "smoking": "never", "glucose": 140, "label": n % 2} | fixed)
        for n in range(200)
    )
    return "\n".join([header, *rows])


BAD_FILES = {
    "column missing": (
        _csv(HEADER.replace("age,", "years,") + ",diabetes"),
        "lacks the column age",
    ),
    "unknown category": (_csv(smoking="sometimes"), "smoking_history must be one of"),
    "text for a number": (_csv(glucose="high"), "blood_glucose_level must be a number"),
    "empty": ("", "holds any row"),
    "one class": (_csv(label=0), "a classifier needs both classes"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_fails_the_training_by_name_and_the_champion_stays(
    circle: Circle, content: str, sentence: str
) -> None:
    def registered() -> int:
        return len(_mlflow(circle).search_model_versions())

    before, versions = _champion(circle), registered()
    prefix = f"{keys.RAW}bad/"
    bucket = circle.target.bucket("data")
    bucket.put(f"{prefix}data.csv", content.encode())
    try:
        done = ops(circle.target.folder, "train", "--raw-prefix", prefix)
    finally:
        bucket.delete(f"{prefix}data.csv")
    assert 1 == done.returncode
    assert "BadData" in done.stderr
    assert sentence in done.stderr
    assert (before, versions) == (_champion(circle), registered())


def test_a_rollback_without_a_previous_model_says_so(circle: Circle) -> None:
    done = ops(circle.target.folder, "rollback")
    assert 1 == done.returncode
    assert "none to go back to" in done.stderr


def test_the_deployed_contract_is_found_and_changes_nothing(circle: Circle) -> None:
    answer = contract_check.run(circle.target)
    assert ({"deployed": True, "differences": []}, 0) == (answer.data, answer.status)


def test_up_again_changes_nothing_and_a_taken_port_is_one_sentence(circle: Circle) -> None:
    again = ops(circle.target.folder, "up")
    assert 0 == again.returncode, again.stderr
    assert circle.figures["champion"]["version"] == _champion(circle).version
    elsewhere = circle.target.folder / "elsewhere"
    taken = ops(elsewhere, "up", "--port", str(circle.laptop.aws_port))
    assert 1 == taken.returncode
    assert f"Port {circle.laptop.aws_port} is taken" in taken.stderr
    assert "Traceback" not in taken.stderr
