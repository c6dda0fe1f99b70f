"""Compare the predictor with three other ways to serve the same model, in one run.

The others are (a) `mlflow.pyfunc` in this process, (b) ``mlflow models serve`` and (c)
DictVectorizer and a Booster behind Flask. The model has 200 trees of depth 6 or less, fitted to
sample data.

The predictor runs as on Lambda, with its own handler: first in this process, where only Firehose's
client is replaced, then in a process of its own under awslambdaric, where this process answers for
S3 and Firehose. Its modules are compiled by the Python that runs them, as a deployment has them
from Python 3.13. Each competitor has one whole processor of this machine. On AWS the function has
0.58 of one (1,024 MB), so everything that computes takes about 1.7 times as long there, a cold
start included.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost as xgb

from benchmarks.harness import Figure, main
from benchmarks.serving import baselines, lambda_runtime, recursive_shap
from benchmarks.serving.stores import stores
from domain import keys
from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.feature import Feature, Value
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.model.shap import Explainer
from lambdas.predictor.settings import Settings
from ops.commands.data import sample_data
from ops.laptop import ROOT
from training_job.model.encoding import encode
from training_job.model.export import export

HANDLER = "lambdas.predictor.handler.handler"
ROWS = 20_000
TREES, DEPTH = 200, 6
ROUNDS = 5
COLD_STARTS = 3
PACKAGES = 7
EXPLAINED = 1_000
EXPLAINED_BY_BOTH = 40
SENT = {"visit": "visit-4711", "patient": "p-0815", "site": "n", "waited": 42}


@dataclass(frozen=True)
class Case:
    """The model and the rows to score, in every form that one of the competitors needs."""

    contract: Contract
    bundle: Bundle
    booster: xgb.Booster
    matrix: np.ndarray
    instances: list[dict[str, Value]]

    @property
    def one(self) -> pd.DataFrame:
        """The first row in the form that MLflow's models take."""
        names = list(self.contract.encoded_names)
        return pd.DataFrame(self.matrix[:1], columns=names)


def measure(seed: int) -> Iterator[Figure]:
    """Measure latency, cold start, memory and size, and the same of the others."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # A runtime and an image hold compiled packages.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        case = _case(folder, seed)
        model = _save_mlflow(case, folder)
        _save_flask(case, folder, seed)
        with stores(_objects(case)) as address:
            code, source = _stage_code(folder / "task"), _stage_source(folder / "source")
            environ = _environ(address, code)
            yield from _in_process(case, model, environ)
            yield from _over_the_wire(case, model, folder, environ)
            yield from _cold(case, model, environ, _environ(address, source))
        yield from _import_path()
        yield from _explanations(case)
        yield from _asset(code, _stage_layer(folder / "layer"))


def _in_process(case: Case, model: Path, environ: Mapping[str, str]) -> Iterator[Figure]:
    import mlflow.pyfunc

    pyfunc = mlflow.pyfunc.load_model(str(model))
    frame = case.one
    with mock.patch.dict(os.environ, environ):
        handler = _stubbed_handler()
        single, batch = _event(case.instances[0]), _event({"instances": case.instances[:1000]})
        _check(handler(single), case.bundle, case.instances[0])
        with mock.patch.dict(os.environ, CONTEXT=_context()):
            handler_with_context = _stubbed_handler()
        with_context = _event(case.instances[0] | {"context": SENT})
        _check(handler_with_context(with_context), case.bundle, case.instances[0])
        ours, theirs, batches, ours_with_context = [], [], [], []
        for _ in range(ROUNDS):  # in turns, so that all meet the same load
            for _ in range(20):
                ours += _times(lambda: handler(single), 20)
                ours_with_context += _times(lambda: handler_with_context(with_context), 20)
            theirs += _times(lambda: pyfunc.predict(frame), 60)
            batches += _times(lambda: handler(batch), 4)
        explained = _times(lambda: handler(_event(case.instances[0], explain="true")), 20)
    p50, other = median(ours), median(theirs)
    ratio = median(ours_with_context) / p50
    yield Figure("handler, one patient, p50", 1000 * p50, "ms", "<= 0.25")
    yield Figure("the same with four context columns, p50", ratio, "x", "<= 1.1")
    yield Figure("handler, one patient, p99", 1000 * float(np.quantile(ours, 0.99)), "ms")
    yield Figure("(a) mlflow.pyfunc predict alone, p50", 1000 * other, "ms")
    yield Figure("handler faster than (a), times", other / p50, "x", ">= 16")
    yield Figure("handler, batch of 1,000, p50", 1000 * median(batches), "ms", "<= 60")
    yield Figure("handler, one patient explained, p50", 1000 * median(explained), "ms")


def _over_the_wire(
    case: Case, model: Path, folder: Path, environ: Mapping[str, str]
) -> Iterator[Figure]:
    single = _event(case.instances[0])
    split = json.dumps({"dataframe_split": _split(case)}).encode()
    plain = json.dumps({k: v for k, v in case.instances[0].items() if v is not None}).encode()
    with (
        lambda_runtime.running(HANDLER, environ) as function,
        baselines.mlflow_server(model) as mlflow_server,
        baselines.flask_server(folder) as flask_server,
    ):
        function.invoke(_event({"instances": case.instances[:1000]}))
        function.invoke(_event({"instances": case.instances[:50]}, explain="true"))
        calls: list[Callable[[], Any]] = [
            lambda: function.invoke(single),
            lambda: baselines.post(mlflow_server, "/invocations", split),
            lambda: baselines.post(flask_server, "/predict", plain),
        ]
        found: list[list[float]] = [[], [], []]
        for _ in range(ROUNDS):
            for times, call in zip(found, calls, strict=True):
                times.extend(_times(call, 60))
        peak = function.peak_megabytes()
    ours, mlflow_p50, flask_p50 = (1000 * median(times) for times in found)
    yield Figure("(b) mlflow models serve over HTTP, p50", mlflow_p50, "ms")
    yield Figure("(c) DictVectorizer + Booster behind Flask, p50", flask_p50, "ms")
    yield Figure("runtime interface, log call included, p50", ours, "ms", f"<= {mlflow_p50:.6g}")
    yield Figure("peak memory (after 1,000, and 50 explained)", peak, "MB", "<= 100")


def _cold(
    case: Case, model: Path, environ: Mapping[str, str], from_source: Mapping[str, str]
) -> Iterator[Figure]:
    single, split = _event(case.instances[0]), _split(case)
    ours, uncompiled, theirs = [], [], []
    for start in range(COLD_STARTS + 1):
        seconds, seconds_from_source = (
            _cold_seconds(each, single) for each in (environ, from_source)
        )
        other = baselines.cold_pyfunc_seconds(model, split)
        if start:  # the first start reads from the disk
            ours.append(seconds)
            uncompiled.append(seconds_from_source)
            theirs.append(other)
    yield Figure("cold start, process start to first answer", median(ours), "s", "<= 0.5")
    yield Figure("the same where the modules are not compiled", median(uncompiled), "s")
    yield Figure("(a) cold start", median(theirs), "s")
    yield Figure("cold start better than (a), times", median(theirs) / median(ours), "x", ">= 10")


def _cold_seconds(environ: Mapping[str, str], event: Mapping[str, object]) -> float:
    with lambda_runtime.running(HANDLER, environ) as function:
        _, when = function.invoke(event)
        return when - function.began


def _import_path() -> Iterator[Figure]:
    """What a cold start imports: the milliseconds of each top-level package, the slowest first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {HANDLER.rpartition('.')[0]}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: Counter[str] = Counter()
    for micros, name in re.findall(r"import time: +(\d+) \|[ \d]+\| *(\w+)", done.stderr):
        found["standard library" if name in sys.stdlib_module_names else name] += int(micros)
    for name, micros in found.most_common(PACKAGES):
        yield Figure(f"importing {name}", micros / 1000, "ms")


def _explanations(case: Case) -> Iterator[Figure]:
    """Compare with the usual algorithm, of the same precision, and with XGBoost's in float32."""
    forest, explainer = case.bundle.forest, case.bundle.explainer
    ready = _times(lambda: Explainer(forest), 5)
    ours, baseline, from_baseline = [], [], 0.0
    for vector in case.matrix[:EXPLAINED_BY_BOTH].tolist():
        ours += _times(partial(explainer.contributions, vector), 5)
        baseline += _times(partial(recursive_shap.contributions, forest, vector), 1)
        _, by_baseline = recursive_shap.contributions(forest, vector)
        found = np.array(explainer.contributions(vector))
        from_baseline = max(from_baseline, float(np.abs(found - by_baseline).max()))
    p50, other = median(ours), median(baseline)
    yield Figure("explaining one row, p50", 1000 * p50, "ms")
    yield Figure("the same by the usual algorithm, p50", 1000 * other, "ms")
    yield Figure("explanation faster, times", other / p50, "x", ">= 3")
    yield Figure("preparing a model for explanations, once", 1000 * median(ready), "ms", "<= 200")
    yield Figure("largest difference from the usual algorithm", from_baseline, "", "<= 1e-10")
    theirs = case.booster.predict(xgb.DMatrix(case.matrix[:EXPLAINED]), pred_contribs=True)
    rows = [explainer.contributions(vector) for vector in case.matrix[:EXPLAINED].tolist()]
    worst = float(np.abs(np.array(rows) - theirs[:, :-1]).max())
    yield Figure(f"largest difference from XGBoost in {EXPLAINED:,} rows", worst, "", "<= 1e-05")


def _asset(code: Path, layer: Path) -> Iterator[Figure]:
    files = {
        path.relative_to(root): path
        for root in (code, layer)
        for path in root.rglob("*")
        if path.is_file()
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.write(path, name)
    compiled = sum(name.suffix in (".so", ".pyd", ".dylib") for name in files)
    yield Figure("code and layer, zipped", len(buffer.getvalue()) / 1e6, "MB", "<= 5")
    yield Figure("files of machine code in them", compiled, "", "<= 0")


def _case(folder: Path, seed: int) -> Case:
    """Fit 200 trees to sample data of this seed, in one thread."""
    path = folder / "sample.csv"
    sample_data.make(rows=ROWS, seed=seed, path=path)
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    names = [feature.name for feature in contract.features]
    matrix = encode(pa.Table.from_pandas(frame[names], preserve_index=False), contract)
    booster = _fit(matrix, frame[contract.target].to_numpy(), seed)
    rows = frame[names].head(1000).astype(object).itertuples(index=False, name=None)
    instances = [
        {n: None if pd.isna(v) else v for n, v in zip(names, row, strict=True)} for row in rows
    ]
    bundle = Bundle(contract, export(booster), 0.5)
    assert len(bundle.forest.roots) == TREES
    return Case(contract, bundle, booster, matrix, instances)


def _fit(matrix: np.ndarray, labels: np.ndarray, seed: int) -> xgb.Booster:
    params = {"objective": "binary:logistic", "max_depth": DEPTH, "nthread": 1, "seed": seed}
    return xgb.train(params | {"eta": 0.1}, xgb.DMatrix(matrix, labels), num_boost_round=TREES)


def _save_mlflow(case: Case, folder: Path) -> Path:
    import mlflow.xgboost
    from mlflow.models import infer_signature

    path = folder / "mlflow"
    signature = infer_signature(case.one, np.zeros(1, dtype=np.float32))
    mlflow.xgboost.save_model(
        case.booster, str(path), signature=signature, pip_requirements=["xgboost"]
    )
    return path


def _save_flask(case: Case, folder: Path, seed: int) -> None:
    """Save a model of the same data and parameters, encoded by DictVectorizer."""
    from sklearn.feature_extraction import DictVectorizer

    frame = pd.read_csv(folder / "sample.csv", keep_default_na=False, na_values=[""])
    records = frame[list(case.instances[0])].to_dict("records")
    vectorizer = DictVectorizer(sparse=False)
    matrix = vectorizer.fit_transform(records)
    booster = _fit(matrix, frame[case.contract.target].to_numpy(), seed)
    booster.save_model(folder / "model.ubj")
    (folder / "names.json").write_text(json.dumps(list(vectorizer.feature_names_)))


def _objects(case: Case) -> dict[str, bytes]:
    """Return the content of a models bucket with this champion."""
    content = case.bundle.to_bytes()
    ref = ModelRef.of(1, digest(content))
    champion = Champion.successor(None, ref, action="promote", execution="benchmark", now=1)
    stored = {ref.bundle_key: content, keys.CHAMPION: champion.to_json()}
    return {f"/models/{key}": value for key, value in stored.items()}


def _stage_source(staged: Path) -> Path:
    """A copy of the function's sources, in a folder that stays as it is."""
    from stacks.common import assets

    for part in assets.component_paths("predictor"):
        source, target = ROOT / part, staged / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return staged


def _stage_code(staged: Path) -> Path:
    """The same as Lambda has it: with compiled modules."""
    from stacks.common import assets

    assets.compile_modules(_stage_source(staged))
    return staged


def _stage_layer(staged: Path) -> Path:
    """A copy of the layer as Lambda has it."""
    from stacks.common import assets

    shutil.copytree(assets.LAYER / "python", staged, ignore=shutil.ignore_patterns("__pycache__"))
    assets.compile_modules(staged)
    return staged


def _environ(address: str, task_root: Path) -> dict[str, str]:
    settings = Settings(
        models_bucket="models",
        predictions_bucket="log",
        log_stream="log",
        metrics_namespace="circle-dev",
        operator_command="ops",
    )
    kept = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    return (
        kept
        | settings.to_env()
        | {
            "AWS_ENDPOINT_URL": f"http://{address}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
            "LAMBDA_TASK_ROOT": str(task_root),
            "PYTHONPATH": str(task_root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )


class _StubbedFirehose:
    """Accepts every record at once."""

    def put_record_batch(self, *, Records: Sequence[object], **_: object) -> object:  # noqa: N803 - boto3's name
        """Answer as Firehose does."""
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}] * len(Records)}


def _context() -> str:
    """Return the environment variable of a deployment with four context columns."""
    columns = [
        Context(name="visit", role="reference"),
        Context(name="patient", role="subject"),
        Context(name="site", values=Feature(name="site", kind="category", categories=("n", "s"))),
        Context(name="waited", values=Feature(name="waited", kind="number", maximum=600)),
    ]
    return DeployedContext(tuple(columns)).to_text()


def _stubbed_handler() -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return the real handler with a stubbed Firehose client; its log output is discarded.

    Each call makes another one, from the environment as it is now.
    """
    from adapters.aws import LeanClients
    from lambdas.predictor import handler as room

    real = LeanClients.client

    def client(self: LeanClients, service: Literal["s3", "firehose"]) -> Any:
        return _StubbedFirehose() if service == "firehose" else real(self, service)

    room._api.cache_clear()
    with mock.patch.object(LeanClients, "client", client):
        api = room._api()

    def handler(event: Mapping[str, Any]) -> Mapping[str, Any]:
        with redirect_stdout(io.StringIO()):
            return api.respond(event)

    return handler


def _event(body: object, **query: str) -> Mapping[str, object]:
    """Build the event that API Gateway sends."""
    return {
        "resource": "/predict",
        "path": "/predict",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "x-api-key": "k", "Host": "example"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {n: [v] for n, v in query.items()} or None,
        "pathParameters": None,
        "requestContext": {"requestId": "id", "identity": {"apiKeyId": "k"}},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def _check(answer: Mapping[str, Any], bundle: Bundle, instance: Mapping[str, Any]) -> None:
    """Assert that the answer is right, before it is timed."""
    found = json.loads(answer["body"])["probability"]
    assert (200, bundle.probability(bundle.contract.row(instance))) == (answer["statusCode"], found)


def _split(case: Case) -> Mapping[str, object]:
    return {
        "columns": list(case.contract.encoded_names),
        "data": [[None if np.isnan(v) else float(v) for v in case.matrix[0]]],
    }


def _times(call: Callable[[], Any], repetitions: int) -> list[float]:
    """Return the seconds of each call."""
    found = []
    for _ in range(repetitions):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main("predictor", measure)
