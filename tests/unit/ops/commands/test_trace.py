"""`ops trace`: where a prediction came from, and that it can be computed again bit for bit."""

import json
import math
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import xgboost as xgb

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.records import prediction_log_columns
from domain.erasure import Certificate, ErasedObject
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, LedgerEntry, ModelRef
from ops.commands.data import trace as command
from ops.console import render
from ops.errors import OpsError
from ops.tracing.trace import Trace, trace
from tabular.arrow_types import ARROW_TYPES
from tests.cards import make_card
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_context import CONTEXT
from tests.unit.monitoring import DAY, log
from tests.unit.patients import csv, patients
from tests.unit.predictor_world import World, ok
from training_job.erasure.journal import Journal
from training_job.erasure.marks import mark
from training_job.model.encoding import encode
from training_job.model.export import export
from training_job.scoring.score import score
from training_job.scoring.score_request import ScoreRequest

VERSIONS, EACH = 5, 200
EARLIER = Contract.parse(CONTRACT_TOML.read_text())
LATER = Contract.from_dict(
    {**EARLIER.to_dict(), "features": EARLIER.to_dict()["features"][:-1], "segments": []}
)
"""The last two versions were trained after a feature had been removed."""
CONTEXT_COLUMNS = DeployedContext.of(Contract.parse(CONTRACT_TOML.read_text() + CONTEXT))


@dataclass
class History:
    """One bucket for models and log, and what it holds of each prediction."""

    bucket: Bucket
    answers: dict[str, dict[str, Any]]

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.bucket)

    def trace(self, *ids: str, day: date | None = None) -> list[Trace]:
        found = [(i, day or DAY.date()) for i in ids or self.answers]
        return trace(found, predictions=self.bucket, models=self.models, replayed=True)


def fall_back(bucket: Bucket, rows: list[dict[str, Any]], *, name: str) -> None:
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    bucket.put(keys.fallback("log", DAY.date(), name), lines.encode())


def _instances(contract: Contract, number: int) -> list[dict[str, Any]]:
    rows = json.loads(patients(EACH, seed=number).to_json(orient="records"))
    names = contract.names
    return [
        {n: v for n, v in row.items() if n in names}
        | {"context": {"Visit": f"visit {number}.{n // 2}", "Site": "south"}}
        for n, row in enumerate(rows)
    ]


@pytest.fixture
def history(moto_bucket: Bucket) -> History:
    """Five versions that served one after the other, with 200 predictions each."""
    answers: dict[str, dict[str, Any]] = {}
    champion: Champion | None = None
    for number in range(1, VERSIONS + 1):
        contract = EARLIER if number <= 3 else LATER
        world = World(contract, context=CONTEXT_COLUMNS)
        model = world.promote(number, threshold=0.1 + number / 17)
        moto_bucket.put(model.bundle_key, world.s3.objects[model.bundle_key])
        champion = Champion.successor(
            champion, model, action="promote", execution=f"e-{number}", now=number * 1_000
        )
        moto_bucket.put(keys.CHAMPION, champion.to_json())
        entry = LedgerEntry.of(champion, (f"Reason {number}.",))
        moto_bucket.put(entry.key, entry.to_json())
        card = make_card(model.version, dataset_id=f"d{number}", code_version=f"c{number}")
        moto_bucket.put(keys.card(model.version), card.to_json())
        batch = {"instances": _instances(contract, number)}
        for answer in ok(world.predict(batch))["predictions"]:
            answers[answer["prediction_id"]] = answer
        columns = prediction_log_columns(CONTEXT_COLUMNS.add_to(contract))
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
        rows = world.firehose.rows
        half = pa.Table.from_pylist(rows[: EACH // 2], schema=schema)
        log(moto_bucket, half, name=f"v{number}")
        fall_back(moto_bucket, rows[EACH // 2 :], name=f"v{number}")
    return History(moto_bucket, answers)


def test_any_of_a_thousand_predictions_of_five_versions_replays_bit_for_bit(
    history: History,
) -> None:
    traces = history.trace()
    assert VERSIONS * EACH == len(traces) == len(history.answers)
    assert [] == [one for one in traces if one.replay is None or not one.replay.identical]
    for one in traces:
        answer = history.answers[str(one.row["prediction_id"])]
        assert answer["model_version"] == one.version
        assert answer["probability"] == one.row["probability"]


def test_a_prediction_of_a_version_that_was_replaced_long_ago_names_all_that_made_it(
    history: History,
) -> None:
    wanted = next(i for i, a in history.answers.items() if a["model_version"].startswith("2-"))
    (one,) = history.trace(wanted)
    found = one.to_dict()
    assert ("d2", "execution-1", "c2") == tuple(
        found[name] for name in ("dataset_id", "training_execution", "code_version")
    )
    assert one.entry is not None
    assert (2, "promote", ("Reason 2.",)) == (one.entry.seq, one.entry.action, one.entry.reasons)
    assert str(found["reference"]).startswith("visit 2.")
    assert {"subject", "age", "site"} & set(found) == set()


def test_another_bundle_score_or_threshold_is_told(history: History) -> None:
    wanted = next(iter(history.answers))
    (one,) = history.trace(wanted)
    row: dict[str, Any] = dict(one.row)
    changes: list[dict[str, Any]] = [
        {"probability": math.nextafter(row["probability"], 1)},
        {"threshold": 0.7},
        {"predicted": not row["predicted"]},
        {"age": 3.0, "bmi": 99.0, "hypertension": 1},
    ]
    rows = [row | change | {"prediction_id": f"changed-{n}"} for n, change in enumerate(changes)]
    fall_back(history.bucket, rows, name="changed")
    traces = history.trace(*(f"changed-{n}" for n in range(len(changes))))
    assert [False] * 4 == [one.replay is not None and one.replay.identical for one in traces]


def test_a_damaged_bundle_and_a_lost_card_are_told_in_sentences(history: History) -> None:
    wanted, answer = next(iter(history.answers.items()))
    version = answer["model_version"]
    history.bucket.delete(keys.card(version))
    history.bucket.put(keys.bundle(version), b"something else")
    (one,) = history.trace(wanted)
    assert one.card is None
    assert one.replay is None
    assert f"The bundle of version {version} can't be used" in one.problem


def _train() -> Bundle:
    """A small model as training exports it."""
    frame = patients(500, seed=6)
    table = pa.Table.from_pandas(frame[[f.name for f in EARLIER.features]], preserve_index=False)
    params = {"objective": "binary:logistic", "nthread": 1}
    matrix = xgb.DMatrix(encode(table, EARLIER), frame[EARLIER.target])
    return Bundle(EARLIER, export(xgb.train(params, matrix, num_boost_round=20)), 0.3)


def test_a_row_that_batch_scoring_logged_replays_too(moto_bucket: Bucket) -> None:
    content = _train().to_bytes()
    model = ModelRef.of(1, digest(content))
    moto_bucket.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    moto_bucket.put(keys.CHAMPION, champion.to_json())
    key = f"{keys.SCORING}in/a.csv"
    moto_bucket.put(key, csv(patients(50, seed=5).drop(columns="diabetes")))
    request = ScoreRequest(input=key, output=f"{keys.SCORING}out/", log=True)
    score(
        request=request,
        data=moto_bucket,
        models=moto_bucket,
        predictions=moto_bucket,
        say=lambda _: None,
    )
    (folder,) = moto_bucket.folders("log/")
    day = date.fromisoformat(folder.rstrip("/").rpartition("dt=")[2])
    (part,) = [e.key for e in moto_bucket.list("log/") if e.key.endswith(".parquet")]
    stored = moto_bucket.get(part)
    assert stored is not None
    ids = pa.parquet.read_table(pa.BufferReader(stored.data))["prediction_id"].to_pylist()
    traces = History(moto_bucket, {}).trace(*ids, day=day)
    assert 50 == len(traces)
    assert all(one.replay is not None and one.replay.identical for one in traces)
    assert {None} == {one.entry for one in traces}


class FakeTarget:
    """As much of a target as the command needs."""

    def __init__(self, history: History) -> None:
        self.models = history.models
        self.deployment = SimpleNamespace(retention='{"log":400,"datasets":30}')
        self._bucket = history.bucket

    def bucket(self, _: str) -> Bucket:
        return self._bucket


def test_the_command_shows_every_prediction_of_a_reference(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = list(history.answers)[:2]
    asked: list[str] = []

    def query(_: Any, sql: str) -> tuple[list[str], list[list[str | None]]]:
        asked.append(sql)
        return ["prediction_id", "dt"], [[i, DAY.date().isoformat()] for i in ids]

    monkeypatch.setattr(command, "query", query)
    target: Any = FakeTarget(history)
    answer = command.run(target, "O'Hara's", replay=True)
    assert "reference = 'O''Hara''s'" in asked[0]
    assert (0, ids) == (
        answer.status,
        [found["prediction_id"] for found in answer.data["predictions"]],
    )
    text = "".join(map(render, answer.shown))
    assert 2 == text.count("the same bit for bit")
    assert "e-1" in json.dumps(answer.data)


def test_a_prediction_that_is_not_in_the_log_may_have_been_erased(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "query", lambda *_: (["prediction_id", "dt"], []))
    target: Any = FakeTarget(history)
    with pytest.raises(OpsError, match=r"has expired.* older than 400 days have expired"):
        command.run(target, "visit-4711")


def test_the_command_says_that_it_looks_before_the_log_answers(
    history: History, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def query(*_: Any) -> tuple[list[str], list[list[str | None]]]:
        said.append(capsys.readouterr().err)
        return ["prediction_id", "dt"], []

    monkeypatch.setattr(command, "query", query)
    target: Any = FakeTarget(history)
    with pytest.raises(OpsError):
        command.run(target, "visit-4711")
    assert ["trace: looking for it in the log\n"] == said


def test_a_prediction_whose_record_was_erased_is_said_to_be_erased(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "query", lambda *_: (["prediction_id", "dt"], []))
    target: Any = FakeTarget(history)
    erased, other = list(history.answers)[:2]
    certificate = Certificate(
        erasure="20260131T140000-0a1b2c3d",
        execution="e",
        dry_run=False,
        began_at=1,
        finished_at=times.to_millis(DAY),
        subjects=1,
        predictions=1,
        shared_references=0,
        objects=(),
        unfinished=(),
    )
    Journal(history.bucket, certificate.erasure).finish(certificate, [erased])
    answer = command.run(target, erased.upper())
    text = "".join(map(render, answer.shown))
    assert f"{DAY:%Y-%m-%d}" in text
    assert f"erasures/{certificate.erasure}/certificate.json" in text
    with pytest.raises(OpsError):
        command.run(target, other)


def test_a_dataset_that_has_expired_is_said_to_be_gone(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(history.answers))
    rows = [[first, DAY.date().isoformat()]]
    monkeypatch.setattr(command, "query", lambda *_: (["prediction_id", "dt"], rows))
    target: Any = FakeTarget(history)
    text = " ".join("".join(map(render, command.run(target, first).shown)).split())
    assert "d1, which is no longer there: datasets expire after 30 days" in text
    target.deployment = SimpleNamespace(retention="")
    text = " ".join("".join(map(render, command.run(target, first).shown)).split())
    assert "d1, which is no longer there training" in text
    history.bucket.put(keys.manifest("d1"), b"{}")
    text = " ".join("".join(map(render, command.run(target, first).shown)).split())
    assert "dataset d1 training" in text


def test_a_dataset_and_a_reference_that_lost_rows_say_so(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(history.answers))
    rows = [[first, DAY.date().isoformat()]]
    monkeypatch.setattr(command, "query", lambda *_: (["prediction_id", "dt"], rows))
    target: Any = FakeTarget(history)
    (one,) = history.trace(first)
    assert one.card is not None
    manifest = keys.manifest(one.card.dataset_id)
    history.bucket.put(manifest, b"{}")
    places = [("data", keys.dataset(one.card.dataset_id, "test"), 7)]
    places += [("models", keys.reference(one.version), 3)]
    entries = [
        ErasedObject(
            bucket=bucket, key=key, version_id="1", rows=n, sha256_before="a", sha256_after="b"
        )
        for bucket, key, n in places
    ]
    for _ in range(2):
        mark(entries, data=history.bucket, models=history.bucket, erasure="e", now=1)
    text = " ".join("".join(map(render, command.run(target, first).shown)).split())
    assert "of which 7 rows were erased since" in text
    assert "3 rows of the version's reference" in text
