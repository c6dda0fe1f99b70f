"""Scores of a cluster are those of one machine."""

import io
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from tests.unit.fakes import random_forest
from tests.unit.patients import csv, patients
from training_job.cluster.cluster import Cluster
from training_job.errors import NothingToScoreWith
from training_job.scoring.cluster_score import Buckets, score_on
from training_job.scoring.score import score
from training_job.scoring.score_request import ScoreRequest

FRAME = patients(1_000, seed=5).drop(columns="diabetes")
INPUT = f"{keys.SCORING}in/"


@pytest.fixture
def buckets(tmp_path: Path, contract: Contract) -> Buckets:
    """A champion, and three files, one of which has a bad row."""
    folder = FolderS3(tmp_path)
    data, models = folder.bucket("data"), folder.bucket("models")
    content = Bundle(contract, random_forest(contract, 3, trees=20), 0.3).to_bytes()
    model = ModelRef.of(1, digest(content))
    models.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    models.put(keys.CHAMPION, champion.to_json())
    bad = FRAME[500:700].assign(age=999)
    for name, frame in {"a": FRAME[:500], "b": bad, "c": FRAME[700:]}.items():
        data.put(f"{INPUT}{name}.csv", csv(frame))
    return Buckets(*(partial(folder.bucket, name) for name in ("data", "models", "predictions")))


def read(bucket: Bucket, folder: str) -> dict[str, pa.Table]:
    """The scores by part."""
    found = {}
    for entry in bucket.list(folder):
        if entry.key.endswith(".parquet"):
            stored = bucket.get(entry.key)
            assert stored is not None
            found[entry.key.removeprefix(folder)] = pq.read_table(io.BytesIO(stored.data))
    return found


@pytest.mark.parametrize("log", [False, True])
def test_every_row_has_the_score_or_the_reason_of_one_machine(
    buckets: Buckets, cluster: Cluster, log: bool
) -> None:
    outputs = [f"{keys.SCORING}out/{name}/" for name in ("here", "there")]
    requests = [ScoreRequest(input=INPUT, output=output, log=log) for output in outputs]
    data, said = buckets.data(), list[str]()
    here = score(
        request=requests[0],
        data=data,
        models=buckets.models(),
        predictions=buckets.predictions(),
        say=lambda _: None,
    )
    there = score_on(cluster, buckets, request=requests[1], say=said.append)
    assert here.to_dict() | {"output": ""} == there.to_dict() | {"output": ""}
    assert 200 == there.refused
    one, other = (read(data, output) for output in outputs)
    assert one.keys() == other.keys()
    for name, table in one.items():
        names = [column for column in table.column_names if column != "prediction_id"]
        assert table.select(names).equals(other[name].select(names))
    logged = [entry.key for entry in buckets.predictions().list("log/")]
    assert len(logged) == (4 if log else 0)
    assert said[-1].startswith("file 3 of 3: 1,000 rows scored, 200 refused")
    again = score_on(cluster, buckets, request=requests[1], say=said.append)
    assert there == again


def test_without_a_model_the_cluster_refuses_too(buckets: Buckets, cluster: Cluster) -> None:
    request = ScoreRequest(input=INPUT, output=f"{keys.SCORING}out/x/", version="9-00000000")
    with pytest.raises(NothingToScoreWith):
        score_on(cluster, buckets, request=request, say=print)
