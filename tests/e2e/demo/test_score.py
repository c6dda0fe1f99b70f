"""Batch scoring through the deployed state machine; runs after the tests that count the log."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from ops.commands.data import query
from tests.e2e.conftest import Circle, ops
from tests.unit.patients import csv, patients

ROWS = 500


def test_a_local_file_is_scored_by_the_champion_and_logged(circle: Circle, tmp_path: Path) -> None:
    frame = patients(ROWS, seed=9).drop(columns="diabetes").astype(object)
    frame.loc[3, "age"] = -1
    source, scores = tmp_path / "ward.csv", tmp_path / "scores"
    source.write_bytes(csv(frame))
    for _ in range(2):  # the repeat finds everything done, and logs nothing twice
        done = ops(
            circle.target.folder, "score", "--input", str(source), "--output", str(scores), "--log"
        )
        assert 0 == done.returncode, done.stderr + done.stdout
    summary = json.loads((scores / "summary.json").read_text())
    champion = circle.target.champion()
    assert champion is not None
    assert (ROWS, 1, champion.version) == (
        summary["rows"],
        summary["refused"],
        summary["model_version"],
    )
    table = pq.read_table(scores / "part-00000-00000.parquet")
    assert ["age must be a number from 0 to 120"] == table["reason"].drop_null().to_pylist()
    sql = "SELECT count(*) FROM prediction_log WHERE source = 'batch'"
    assert [[str(ROWS - 1)]] == query.query(circle.target, sql)[1]
