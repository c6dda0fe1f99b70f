"""Somebody's own table, from a CSV file to predictions, and two of its people erased again."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from domain import keys
from ops.api import Api
from ops.commands.data import sample_data
from tests.e2e.conftest import brought_up, ops

PEOPLE = 3_000
ERASED = ("p-00000", "p-00001")


def _write_table(path: Path) -> pd.DataFrame:
    """Two rows for each person, under names and words that are not the project's own."""
    sample_data.write(rows=2 * PEOPLE, seed=1, path=path)
    frame = pd.read_csv(path, keep_default_na=False)
    frame.insert(0, "patient", [f"p-{row // 2:05}" for row in range(len(frame))])
    frame["diabetes"] = frame["diabetes"].map({1: "Yes", 0: "No"})
    frame = frame.rename(columns={"bmi": "Body mass (kg/m2)", "diabetes": "ill"})
    frame.to_csv(path, index=False, sep=";")
    return frame


@pytest.mark.slow
def test_a_table_is_learned_and_its_people_are_forgotten(tmp_path: Path) -> None:
    table, contract = tmp_path / "people.csv", tmp_path / "people.toml"
    frame = _write_table(table)

    def run(*arguments: str) -> dict[str, Any]:
        done = ops(tmp_path / "local", *arguments, "--json")
        assert 0 == done.returncode, done.stderr + done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    drafted = ("--target", "ill", "--subject", "patient", "--out", str(contract))
    run("contract", "infer", str(table), *drafted)
    with brought_up(tmp_path / "local", {}, "--contract", str(contract)) as target:
        run("upload", str(table))
        run("train", "--trials", "2")
        api = Api(target.deployment.api_url, target.api_key())
        person = frame.iloc[0]
        body = {
            "gender": person["gender"],
            "age": float(person["age"]),
            "hypertension": int(person["hypertension"]),
            "heart_disease": int(person["heart_disease"]),
            "smoking_history": person["smoking_history"],
            "Body_mass_kg_m2": float(person["Body mass (kg/m2)"]),
            "HbA1c_level": float(person["HbA1c_level"]),
            "blood_glucose_level": int(person["blood_glucose_level"]),
            "context": {"patient": ERASED[0]},
        }
        status, answer = api.post("/predict", body, idempotency_key="own-table")
        assert 200 == status, answer
        assert {True, False} >= {answer["ill"]}

        subjects = tmp_path / "who.txt"
        subjects.write_text("\n".join(ERASED) + "\n")
        # At least two raw rows of each, and the same rows in the dataset or the reference.
        assert run("erase", "--subject-file", str(subjects))["rows"] >= 4 * len(ERASED)
        assert 0 == run("erase", "--subject-file", str(subjects))["rows"]
        raw = b"".join(
            stored.data
            for listed in target.bucket("data").list(keys.RAW)
            if (stored := target.bucket("data").get(listed.key))
        )
        assert len(frame) - 2 * len(ERASED) == raw.count(b"\n") - 1
        assert not [person for person in ERASED if person.encode() in raw]
        traced = ops(tmp_path / "local", "trace", answer["prediction_id"])
        assert "was erased" in traced.stdout + traced.stderr
