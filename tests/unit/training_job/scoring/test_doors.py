"""The same rows mean the same, and score the same, whichever door they come through."""

import gzip
import io
import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.api import requests
from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from tests.unit.fakes import random_forest
from training_job.scoring.score import score
from training_job.scoring.score_request import ScoreRequest

CONTRACT = """
[target]
name = "churned"

[[features]]
name = "region"
kind = "category"
categories = ["EU", "NA", "None", "true"]
nullable = true

[[features]]
name = "pain"
kind = "category"
categories = ["0", "1", "2.5"]
nullable = true

[[features]]
name = "tenure"
kind = "number"
minimum = 0
maximum = 1000
nullable = true
missing = [-1]

[[features]]
name = "senior"
kind = "flag"
true = ["yes"]
false = ["no"]

[[features]]
name = "notice"
kind = "number"
minimum = 0
maximum = 10
nullable = true
"""
BODY = b"""{"instances": [
 {"region": "NA",   "pain": "1",   "tenure": 592.641, "senior": 1},
 {"region": "None", "pain": "0",   "tenure": 0.1,     "senior": 0},
 {"region": "true", "pain": "2.5", "tenure": 625.72,  "senior": 1.0},
 {"region": null,   "pain": null,  "tenure": null,    "senior": 0},
 {"region": "EU",   "pain": "1",   "senior": 1}
]}"""
REGION = ["NA", "None", "true", None, "EU"]
PAIN = ["1", "0", "2.5", None, "1"]
TENURE = [592.641, 0.1, 625.72, None, None]
SENIOR = [1, 0, 1, 0, 1]
CSV = "region,pain,tenure,senior\nNA,1,592.641,1\nNone,0,.1,0\ntrue,2.5,625.720,1\n,,,0\nEU,1,,1\n"


def _parquet(**changes: Any) -> bytes:
    columns: dict[str, Any] = {"region": REGION, "pain": PAIN, "tenure": TENURE, "senior": SENIOR}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns | changes), buffer)
    return buffer.getvalue()


DOORS: dict[str, bytes] = {
    "CSV": CSV.encode(),
    "CSV in gzip": gzip.compress(CSV.encode()),
    "CSV in UTF-16 with tabs": CSV.replace(",", "\t").encode("utf-16"),
    "CSV with an empty column that may be absent": (
        CSV.replace("senior\n", "senior,notice\n").replace("1\n", "1,\n").replace("0\n", "0,NaN\n")
    ).encode(),
    "CSV of floats": (
        CSV.replace(",1,592", ",1.0,592").replace(",0,.1", ",0.00,.1").replace("2.5", "2.50")
    ).encode(),
    "CSV with words": CSV.replace(",1\n", ",Yes\n").replace(",0\n", ",no\n").encode(),
    "CSV with true": CSV.replace(",1\n", ",True\n").replace(",0\n", ",FALSE\n").encode(),
    "CSV with declared missing": CSV.replace(",,,0", ",NULL,-1.0,0").encode(),
    "CSV with characters that nobody sees": (
        CSV.replace("\n", "\u200b\n").replace("NA", "\u200eNA\u00a0").replace(",1", ",\ufeff1")
    ).encode(),
    "CSV with Hive's separator": CSV.replace(",", "\x01").encode(),
    "Parquet": _parquet(),
    "Parquet of dictionaries of bytes": _parquet(
        region=pa.array([r and r.encode() for r in REGION]).dictionary_encode(),
        pain=pa.array([p and p.encode() for p in PAIN], pa.large_binary()).dictionary_encode(),
    ),
    "Parquet of float16": _parquet(
        pain=pa.array([1, 0, 2.5, None, 1], pa.float16()), senior=pa.array(SENIOR, pa.float16())
    ),
    "Parquet of JSON": _parquet(
        pain=pa.ExtensionArray.from_storage(pa.json_(), pa.array(PAIN)),
        tenure=pa.ExtensionArray.from_storage(
            pa.json_(), pa.array([None if t is None else str(t) for t in TENURE])
        ),
    ),
    "Parquet of dictionaries": _parquet(
        region=pa.array(REGION).dictionary_encode(), pain=pa.array(PAIN).dictionary_encode()
    ),
    "Parquet of decimals": _parquet(
        pain=[Decimal("1.0"), Decimal("0.0"), Decimal("2.5"), None, Decimal("1.0")],
        tenure=[Decimal("592.641"), Decimal("0.100"), Decimal("625.720"), None, None],
    ),
    "Parquet of float32": _parquet(
        pain=pa.array([1, 0, 2.5, None, 1], pa.float32()), tenure=pa.array(TENURE, pa.float32())
    ),
    "Parquet of floats": _parquet(pain=[1.0, 0.0, 2.5, None, 1.0], tenure=[*TENURE[:3], -1.0, -1]),
    "Parquet of booleans": _parquet(senior=[bool(value) for value in SENIOR]),
    "Parquet of texts": _parquet(tenure=["592.641", "0.1", "625.72", "NA", None]),
}


@pytest.fixture
def bundle() -> Bundle:
    contract = Contract.parse(CONTRACT)
    return Bundle(contract, random_forest(contract, 3, trees=20), 0.3)


@pytest.fixture
def bucket(moto_bucket: Bucket, bundle: Bundle) -> Bucket:
    """Data, models and predictions in one, with a champion."""
    content = bundle.to_bytes()
    model = ModelRef.of(1, digest(content))
    moto_bucket.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    moto_bucket.put(keys.CHAMPION, champion.to_json())
    return moto_bucket


def _from_api(contract: Contract) -> list[tuple[Value, ...]]:
    entries, _ = requests.read_entries(requests.parse_json(BODY), "instances")
    requests.refuse(p for entry in entries for p in contract.validate(entry.value, entry.at))
    return [contract.row(entry.value) for entry in entries]


def _from_file(bucket: Bucket, name: str, content: bytes) -> tuple[list[tuple[Value, ...]], Any]:
    """Rows as they are logged, and the scores, of one file."""
    key, output = f"{keys.SCORING}in/{name}.csv", f"{keys.SCORING}out/{name}/"
    bucket.put(key, content)
    request = ScoreRequest(input=key, output=output, log=True)
    score(request=request, data=bucket, models=bucket, predictions=bucket, say=lambda _: None)
    frames = {}
    for prefix in (output, "log/"):
        (part,) = [e.key for e in bucket.list(prefix) if e.key.endswith(".parquet")]
        stored = bucket.get(part)
        assert stored is not None
        frames[prefix] = pq.read_table(io.BytesIO(stored.data))
        bucket.delete(part)
    logged = frames["log/"].select(["region", "pain", "tenure", "senior", "notice"])
    rows = [tuple(row.values()) for row in logged.to_pylist()]
    scores: pd.Series[float] = frames[output]["probability"].to_pandas()
    return rows, scores.tolist()


def test_the_same_rows_score_the_same_through_every_door(bucket: Bucket, bundle: Bundle) -> None:
    api = _from_api(bundle.contract)
    through_api = [bundle.probability(row) for row in api]
    first = None
    for index, (name, content) in enumerate(DOORS.items()):
        rows, scores = _from_file(bucket, str(index), content)
        assert api == rows, name
        assert through_api == [bundle.probability(row) for row in rows], name
        first = first or scores
        assert first == scores, name
        assert pytest.approx(scores, abs=1e-6) == through_api, name


@pytest.mark.parametrize(
    ("field", "value"),
    [("pain", 1), ("pain", "1.0"), ("pain", ""), ("senior", True), ("senior", "yes")],
)
def test_the_api_stays_strict_where_files_are_lenient(field: str, value: object) -> None:
    contract = Contract.parse(CONTRACT)
    instance = json.loads(BODY)["instances"][0] | {field: value}
    assert [f"#/{field}"] == [problem.pointer for problem in contract.validate(instance)]
