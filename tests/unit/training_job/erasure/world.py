"""Four versioned buckets with one person's traces in every kind of object, and a scanner."""

import base64
import gzip
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from adapters.s3_versions import list_versions
from domain import keys, times
from domain.api.inspection import PredictionView
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.records import LabelRecord, PredictionRecord
from domain.erasure import hash_prediction
from domain.keys import DrawId, RunId
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.training.steps import Erased
from tests.cards import make_card
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import random_forest
from tests.unit.patients import csv, patients
from training_job.dataset.hashing import hash_texts
from training_job.dataset.prepare import prepare
from training_job.erasure.erase import Buckets, erase
from training_job.erasure.erase_request import EraseRequest
from training_job.evaluation import release
from training_job.scoring.score import score
from training_job.scoring.score_request import ScoreRequest

CONTEXT = """
[[context]]
name = "Patient"
role = "subject"
nullable = true

[[context]]
name = "visit"
role = "reference"
nullable = true
"""
CONTRACT = Contract.parse(CONTRACT_TOML.read_text() + CONTEXT)
ERASURE = "20260131T140000-0a1b2c3d"
REQUEST = EraseRequest(subjects=keys.erasure_subjects(ERASURE))
DRY_RUN = EraseRequest(subjects=keys.erasure_subjects(ERASURE, dry_run=True), dry_run=True)
LATER = EraseRequest(subjects=keys.erasure_subjects("20260131T150000-0a1b2c3d"))
DAY = date(2026, 1, 31)
NOW = times.to_millis(datetime(2026, 1, 31, 12, tzinfo=UTC))
SHE, HE, SOMEBODY = "patient-4711", "patient-0815", "patient-1234"
PEOPLE: list[Any] = [f"patient-{n % 80:04d}" for n in range(400)]
FRAME = patients(400, seed=4).assign(Patient=PEOPLE, visit=[f"visit-{n}" for n in range(400)])
FRAME.loc[[3, 50, 51, 200, 399], "Patient"] = SHE
FRAME.loc[[4, 60, 201], "Patient"] = HE


def make_buckets() -> Buckets:
    """Empty ones; moto must be active."""
    client = boto3.client("s3")
    made = {}
    for name in ("data", "models", "predictions", "reports"):
        client.create_bucket(Bucket=name)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        made[name] = Bucket(client, name)
    return Buckets(**made)


def record(number: int, subject: str | None, reference: str | None = None) -> PredictionRecord:
    """A prediction about a row of the frame."""
    row = {str(name): value for name, value in FRAME.iloc[number].items()}
    return PredictionRecord(
        prediction_id=prediction_id(number),
        predicted_at=NOW,
        model_version="1-0a1b2c3d",
        contract_version=CONTRACT.version,
        probability=0.25,
        threshold=0.5,
        predicted=False,
        source="api",
        features=dict(zip([f.column for f in CONTRACT.features], CONTRACT.row(row), strict=True)),
        reference=reference,
        subject=subject,
    )


def prediction_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))


def label(**of: str) -> LabelRecord:
    return LabelRecord(label=True, observed_at=NOW, received_at=NOW, **of)


def parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def fill_log(buckets: Buckets) -> None:
    """Predictions, labels, fallback and rejected records."""
    put = buckets.predictions.put
    logged = [record(n, PEOPLE[n], f"v-{n}") for n in range(20)]
    logged += [record(20, SHE, "her-own-visit"), record(21, SHE, "a-shared-visit")]
    logged += [record(22, HE, "his-own-visit"), record(23, SOMEBODY, "a-shared-visit")]
    put(f"{keys.stream('log', DAY)}a.parquet", parquet([r.to_row() for r in logged]))
    put(
        keys.fallback("log", DAY, "b"),
        b"".join(record(n, p).to_json() for n, p in [(24, SHE), (25, SOMEBODY)]),
    )
    labels = [label(prediction_id=prediction_id(n)) for n in (1, 20, 22, 24)]
    labels += [label(reference=r) for r in ("v-1", "her-own-visit", "a-shared-visit")]
    put(f"{keys.stream('labels', DAY)}a.parquet", parquet([r.to_row() for r in labels]))
    put(keys.fallback("labels", DAY, "b"), label(prediction_id=prediction_id(21)).to_json())
    rejected = [
        json.dumps({"errorCode": "X", "rawData": base64.b64encode(line).decode()}) + "\n"
        for line in (
            record(26, SHE).to_json(),
            record(27, SOMEBODY).to_json(),
            b'{"subject":"patient-4711",',
        )
    ]
    put(f"{keys.rejected('log')}failed/dt=2026-01-31/x", "".join(rejected).encode())
    put(f"{keys.ATHENA}ids.csv", f'"subject","n"\n"{SHE}","1"\n"{SOMEBODY}","2"\n'.encode())
    put(f"{keys.ATHENA}features.csv", b'"age","bmi"\n"54.0","27.1"\n')


def fill_models(buckets: Buckets, dataset_id: str) -> str:
    """A champion with card and reference, and MLflow's artifacts; returns the version."""
    bundle = Bundle(CONTRACT, random_forest(CONTRACT, 3, trees=5), 0.3)
    content = bundle.to_bytes()
    model = ModelRef.of(1, digest(content))
    stored = buckets.data.get(keys.dataset(dataset_id, "valid"))
    assert stored is not None
    card = make_card(model.version, dataset_id=dataset_id)
    table = pq.read_table(io.BytesIO(stored.data))
    release.store(buckets.models, model, content, table, card)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    buckets.models.put(keys.CHAMPION, champion.to_json())
    rows = {"columns": ["subject", "age"], "data": [[SHE, 54], [SOMEBODY, 33]]}
    buckets.models.put(f"{keys.MLFLOW}1/run/artifacts/rows.json", json.dumps(rows).encode())
    buckets.models.put(f"{keys.MLFLOW}1/run/artifacts/plot.png", b"\x89PNG\x00" + bytes(range(256)))
    return model.version


def fill_raw(buckets: Buckets) -> str:
    """Raw files in several formats, an old version too, and the dataset; returns its id."""
    put = buckets.data.put
    put(f"{keys.RAW}a.csv", csv(FRAME[:100]))
    put(f"{keys.RAW}a.csv", csv(FRAME[:150]))
    put(f"{keys.RAW}b.csv.gz", gzip.compress(csv(FRAME[150:250])))
    quoted = FRAME[250:].to_csv(index=False, sep=";", quoting=1, lineterminator="\r\n")
    put(f"{keys.RAW}c.csv", b"\xef\xbb\xbf" + quoted.encode())
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(FRAME[:60]), sink, compression="zstd", row_group_size=7)
    put(f"{keys.RAW}d.parquet", sink.getvalue())
    return prepare(
        contract=CONTRACT,
        bucket=buckets.data,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.5,
        execution="e",
        say=lambda _: None,
    ).dataset_id


def fill(buckets: Buckets) -> str:
    """All of it, scores too; returns the dataset's id."""
    dataset_id = fill_raw(buckets)
    fill_log(buckets)
    fill_models(buckets, dataset_id)
    source = f"{keys.SCORING}in/x.csv"
    buckets.data.put(source, csv(FRAME[:120].drop(columns="diabetes")))
    for name, logged in (("plain", False), ("logged", True)):
        score(
            request=ScoreRequest(input=source, output=f"{keys.SCORING}out/{name}/", log=logged),
            data=buckets.data,
            models=buckets.models,
            predictions=buckets.predictions,
            say=lambda _: None,
            context=DeployedContext.of(CONTRACT),
        )
    drawn = [{"prediction_id": prediction_id(n), "reference": f"v-{n}"} for n in (1, 20, 22)]
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    draw_id = DrawId(RunId(midnight, midnight + times.DAY, "1-0a1b2c3d"), 3, 1)
    buckets.predictions.put(keys.drawn_predictions(draw_id), parquet(drawn))
    view = PredictionView(
        viewer="ada@example.org",
        viewed_at=NOW,
        prediction=prediction_id(20),
        prediction_sha256=hash_prediction(prediction_id(20)),
        model_version="1-0a1b2c3d",
    )
    place = keys.prediction_view(view.prediction_sha256, NOW, "0a1b2c3d")
    buckets.reports.put(place, view.to_json())
    page = f"<html><body><p>{prediction_id(20)}</p><p>{prediction_id(1)}</p></body></html>"
    buckets.reports.put(f"{keys.RUNS}r/performance.html", page.encode())
    return dataset_id


def ask(buckets: Buckets, *people: str, request: EraseRequest = REQUEST) -> None:
    buckets.data.put(request.subjects, "\n".join(people).encode())


def run(buckets: Buckets, request: EraseRequest = REQUEST, **options: Any) -> Erased:
    return erase(
        request=request,
        contract=CONTRACT,
        buckets=buckets,
        execution="erase-1",
        settle=options.pop("settle", lambda: None),
        say=lambda _: None,
        list_at_work=lambda: options.pop("at_work", ()),
    )


def decode(data: bytes) -> str:
    """Everything in an object, as one text."""
    if data.startswith(b"\x1f\x8b"):
        return decode(gzip.decompress(data))
    if data.startswith(b"PAR1"):
        return json.dumps(pq.read_table(io.BytesIO(data)).to_pylist(), default=str)
    if b'"rawData"' in data:
        raw = [base64.b64decode(json.loads(line)["rawData"]) for line in data.splitlines()]
        return b"\n".join([data, *raw]).decode()
    return data.decode(errors="replace")


def read_all(buckets: Buckets) -> dict[tuple[str, str, str], bytes]:
    """Every version of every object."""
    found = {}
    for name, bucket in buckets:
        for version in list_versions(bucket):
            answer = bucket.client.get_object(
                Bucket=bucket.name, Key=version.key, VersionId=version.version_id
            )
            found[name, version.key, version.version_id] = answer["Body"].read()
    return found


def find_traces(buckets: Buckets, *texts: str) -> list[tuple[str, str, str]]:
    """Versions of objects that hold any of these texts, or the hash of one."""
    hashes = [str(value) for value in hash_texts(pa.array(texts)).tolist()]
    return [
        place
        for place, data in read_all(buckets).items()
        if any(text in decode(data) for text in (*texts, *hashes))
    ]


def rows_of(data: bytes) -> Iterator[Any]:
    """The rows of an object, as they can be compared."""
    if data.startswith(b"\x1f\x8b"):
        yield from rows_of(gzip.decompress(data))
    elif data.startswith(b"PAR1"):
        yield from map(repr, pq.read_table(io.BytesIO(data)).to_pylist())
    else:
        yield from data.splitlines(keepends=True)


def read_latest(buckets: Buckets) -> dict[tuple[str, str], bytes]:
    """The latest version of every object."""
    found = {}
    for name, bucket in buckets:
        for listed in bucket.list(""):
            stored = bucket.get(listed.key)
            assert stored is not None
            found[name, listed.key] = stored.data
    return found


HASHES = {str(value) for value in hash_texts(pa.array([SHE])).tolist()}
