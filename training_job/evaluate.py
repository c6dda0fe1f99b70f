"""Evaluate: final model, same-rows comparison with the champion, verdict, registration, bundle."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from adapters.registry import Tracking
from adapters.s3 import Bucket
from domain import gate, keys
from domain.bundle import Bundle, digest
from domain.champion import ModelRef
from domain.contract import Contract
from domain.feature import Value
from training_job import card as cards
from training_job import history
from training_job.dataset import Split
from training_job.encoding import encode
from training_job.export import export, prove
from training_job.model import Fitted, TrainingData, fit, predict
from training_job.plots import Judged, draw
from training_job.release import REFERENCE_ROWS, reference, store
from training_job.standing import Standing
from training_job.verdict import judge

Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """A dataset's three sides."""

    train: Split
    valid: Split
    test: Split

    @classmethod
    def download(cls, bucket: Bucket, dataset_id: str, contract: Contract) -> "Splits":
        """Read them from the data bucket."""
        sides = {}
        with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
            for name in keys.SPLITS:
                path = Path(folder) / f"{name}.parquet"
                bucket.download(keys.dataset(dataset_id, name), path)
                sides[name] = Split.read(path, contract)
        return cls(**sides)


def evaluate(
    *,
    contract: Contract,
    data: Bucket,
    models: Bucket,
    tracking: Tracking,
    dataset_id: str,
    params: Mapping[str, Any],
    execution: str,
    seed: int,
    limits: gate.Limits,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Fit the best parameters, judge on the test rows, register and export; returns the verdict.

    The final model is fitted on train; early stopping and threshold come from valid, never
    from test. Raises ExportDisagrees before anything is registered.
    """
    splits = Splits.download(data, dataset_id, contract)
    fitted = _fit(splits, contract, params, seed)
    test_matrix = encode(splits.test.table, contract)
    probabilities = predict(fitted.booster, test_matrix)
    bundle = Bundle(contract, export(fitted.booster), fitted.threshold)
    rows: list[Row] = list(splits.test.rows(contract))
    prove(bundle, rows, probabilities)
    _prove_with_missing(bundle, fitted, splits.test, rows)
    say(f"the exported scorer agrees with XGBoost on {2 * len(rows):,} rows")

    judged = judge(
        Standing.read(models, contract),
        splits.test,
        contract,
        probabilities=probabilities,
        threshold=fitted.threshold,
        limits=limits,
        seed=seed,
    )
    for reason in judged.verdict.reasons:
        say(reason)

    content = bundle.to_bytes()
    run_id = tracking.run_of(execution)
    example = pd.DataFrame(test_matrix[:5], columns=list(contract.encoded_names))
    number = tracking.register(
        run_id=run_id, booster=fitted.booster, example=example, sha256=digest(content)
    )
    model = ModelRef.of(number, digest(content))
    card = {
        "version": model.version,
        "registered_at": int(time.time() * 1000),
        "execution": execution,
        "mlflow_run_id": run_id,
        "dataset_id": dataset_id,
        "contract_version": contract.version,
        "target": contract.target,
        "threshold": fitted.threshold,
        "trees": fitted.booster.num_boosted_rounds(),
        "params": dict(params),
        "rows": {name: len(getattr(splits, name).labels) for name in keys.SPLITS},
        "prevalence": float(np.mean(splits.train.labels)),
        "reference_rows": min(REFERENCE_ROWS, len(splits.valid.labels)),
        **judged.card(),
    }
    store(models, model, content, reference(splits.valid, fitted, contract), card)
    _publish(
        tracking,
        run_id,
        card,
        Judged(
            contract=contract,
            booster=fitted.booster,
            matrix=test_matrix,
            labels=splits.test.labels,
            scores=probabilities.astype(np.float64),
            threshold=fitted.threshold,
            history=history.finished(models, execution),
        ),
    )
    f1, standing = judged.measures["f1"], judged.standing
    return {
        "promote": judged.verdict.promote,
        "rule": judged.verdict.rule,
        "reasons": list(judged.verdict.reasons),
        "version": model.version,
        "sha256": model.sha256,
        "metrics": card["metrics"],
        "f1_interval": [f1.low, f1.high],
        "champion_version": standing.champion.version if standing.champion else None,
        "champion_f1": judged.champion_f1,
        "champion_etag": standing.etag,
    }


def _publish(tracking: Tracking, run_id: str, card: dict[str, Any], judged: Judged) -> None:
    """The judgement in the execution's run: figures, card, pictures."""
    bounds = {
        f"test_{name}_{side}": bound
        for name, interval in card["intervals"].items()
        for side, bound in zip(("low", "high"), interval, strict=True)
    }
    tracking.log_final(
        run_id,
        params=card["params"],
        metrics={f"test_{name}": value for name, value in card["metrics"].items()} | bounds,
        tags={
            "circle.version": card["version"],
            "circle.verdict": " ".join(card["verdict"]["reasons"]),
        },
        documents={"card.json": card, "verdict.json": card["verdict"]},
    )
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        (Path(folder) / "model_card.md").write_text(cards.markdown(card), encoding="utf-8")
        draw(judged, Path(folder))
        tracking.log_files(run_id, Path(folder), "judgement")
    tracking.finish(run_id)


def _fit(splits: Splits, contract: Contract, params: Mapping[str, Any], seed: int) -> Fitted:
    return fit(TrainingData.of(splits.train, splits.valid, contract), params, seed=seed)


def _prove_with_missing(bundle: Bundle, fitted: Fitted, test: Split, rows: list[Row]) -> None:
    """The proof again with one nullable feature of each row blanked, in turns."""
    contract = bundle.contract
    nullable = [i for i, feature in enumerate(contract.features) if feature.nullable]
    if not nullable:
        return
    turns = np.arange(len(rows)) % len(nullable)
    table = test.table
    for turn, position in enumerate(nullable):
        name = contract.features[position].name
        column = table.column(name)
        blank = pa.scalar(None, column.type)
        values = pc.if_else(pa.array(turns == turn), blank, column)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    blanked = Split(table, test.labels)
    expected = predict(fitted.booster, encode(table, contract))
    prove(bundle, blanked.rows(contract), expected)
