"""An evaluation is the same whatever engine answers the test rows, and however these are parted."""

import itertools
import json
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.folder_bucket import FolderS3
from domain import keys
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import random_forest
from tests.unit.patients import csv, patients
from tests.unit.training_job.cluster.conftest import running
from tests.unit.training_job.evaluation.test_evaluate import FakeTracking
from training_job.cluster.cluster import Cluster
from training_job.dataset.partitioned.prepare import prepare
from training_job.evaluation.answers.answering import answer_side_on
from training_job.evaluation.evaluate import RowEngine, evaluate
from training_job.evaluation.final import Final, fit_final
from training_job.evaluation.plots import PlotData

WEIGHTED = CONTRACT_TOML.read_text().replace("[target]\nname", '[target]\nweight = "w"\nname')
PARAMS = {"max_depth": 3, "learning_rate": 0.3}


class Stage:
    """A dataset of five parts, a model fitted on it, and evaluations of that model."""

    def __init__(
        self, folder: Path, contract: Contract, cluster: Cluster, patch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self.contract, self.numbers = folder, contract, itertools.count()
        self.open = partial(FolderS3(folder).bucket, "data")
        self.data = self.open()
        rows = patients(6_000, seed=3)
        rows["w"] = np.random.default_rng(1).choice([0.5, 1.0, 4.0], len(rows))
        self.data.put(f"{keys.RAW}a.csv", csv(rows))
        self.dataset_id = prepare(
            cluster=cluster,
            open_bucket=self.open,
            contract=contract,
            bucket=self.data,
            raw_prefix=keys.RAW,
            salt="s",
            bad_row_share=0.01,
            execution="e",
            say=lambda _: None,
            ranges=5,
        ).dataset_id
        self.final = fit_final(self.data, self.dataset_id, contract, PARAMS, seed=1)
        self.plots: list[PlotData] = []
        patch.setattr("training_job.evaluation.evaluate.draw", self._keep)

    def _keep(self, plot_data: PlotData, _: Path) -> list[str]:
        self.plots.append(plot_data)
        return []

    def evaluate(self, cluster: Cluster | None) -> tuple[dict[str, Any], PlotData]:
        """The card, and what is drawn."""
        models = FolderS3(self.folder).bucket(f"models-{next(self.numbers)}")
        content = Bundle(self.contract, random_forest(self.contract, 3, trees=20), 0.3).to_bytes()
        model = ModelRef.of(1, digest(content))
        models.put(model.bundle_key, content)
        champion = Champion.successor(None, model, action="promote", execution="e", now=1)
        models.put(keys.CHAMPION, champion.to_json())

        def fit(*_: Any, **__: Any) -> Final:
            return self.final

        engine = RowEngine(fit=fit)
        if cluster is not None:
            answer = partial(answer_side_on, cluster=cluster, open_data=self.open)
            engine = RowEngine(fit=fit, answer=answer)
        found = evaluate(
            contract=self.contract,
            data=self.data,
            models=models,
            tracking=FakeTracking(),  # type: ignore[arg-type]  # a fake
            dataset_id=self.dataset_id,
            params=PARAMS,
            execution="evaluate",
            seed=1,
            limits=GateLimits(minimum_f1=0.3),
            say=lambda _: None,
            open_engine=lambda: nullcontext(engine),
        )
        stored = models.get(keys.card(found.version))
        assert stored is not None
        card: dict[str, Any] = json.loads(stored.data)
        return card | {"registered_at": 0}, self.plots[-1]


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[int, Cluster]]:
    """One worker, and three."""
    with running(1) as one, running(3) as three:
        yield {1: one, 3: three}


@pytest.mark.parametrize(
    "text", [CONTRACT_TOML.read_text(), WEIGHTED], ids=["equal rows", "rows with weights"]
)
def test_card_verdict_and_plots_are_those_of_one_machine(
    text: str,
    tmp_path: Path,
    clusters: dict[int, Cluster],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(tmp_path, Contract.parse(text), clusters[3], monkeypatch)
    expected, drawn_here = stage.evaluate(None)
    assert expected["verdict"]["reasons"]
    assert (expected["effective_test_rows"] is not None) == (text == WEIGHTED)
    for cluster in clusters.values():
        card, drawn = stage.evaluate(cluster)
        assert expected == card
        for name in ("labels", "scores", "counts", "matrix"):
            here, there = getattr(drawn_here, name), getattr(drawn, name)
            assert np.array_equal(here, there, equal_nan=name == "matrix"), name
