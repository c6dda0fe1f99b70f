"""Evaluate: final model, same-rows comparison with the champion, verdict, registration, bundle."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from adapters.registry import Tracking
from adapters.s3 import Bucket, Conflict
from domain import gate, keys
from domain.bundle import Bundle, digest
from domain.champion import Champion, ModelRef
from domain.contract import Contract, Value
from domain.errors import BadBundle
from training_job.dataset import Split
from training_job.encoding import encode
from training_job.export import export, prove
from training_job.model import Fitted, TrainingData, f1_score, fit, predict, quality

REFERENCE_ROWS = 10_000

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


@dataclass(frozen=True, slots=True)
class Standing:
    """The champion as evaluation finds it: its pointer, the pointer's ETag, its F1 here."""

    etag: str | None
    champion: Champion | None
    f1: float | None
    note: str = ""


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
    minimum_f1: float,
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
    rows: list[Row] = splits.test.rows(contract)  # type: ignore[assignment]  # the contract's own columns
    prove(bundle, rows, probabilities)
    _prove_with_missing(bundle, fitted, splits.test, rows)
    say(f"the exported scorer agrees with XGBoost on {2 * len(rows):,} rows")

    metrics = quality(splits.test.labels, probabilities, fitted.threshold)
    standing = _standing(models, contract, rows, splits.test)
    scores = gate.Scores(challenger_f1=metrics["f1"], champion_f1=standing.f1)
    verdict = gate.judge(scores, minimum_f1=minimum_f1)
    reasons = (*verdict.reasons, *([standing.note] if standing.note else []))
    for reason in reasons:
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
        "metrics": metrics,
        "rows": {name: len(getattr(splits, name).labels) for name in keys.SPLITS},
        "prevalence": float(np.mean(splits.train.labels)),
        "reference_rows": min(REFERENCE_ROWS, len(splits.valid.labels)),
    }
    _store(models, model, content, _reference(splits.valid, fitted, contract), card)
    tracking.log_final(
        run_id,
        params=params,
        metrics={f"test_{name}": value for name, value in metrics.items()},
        tags={"circle.version": model.version, "circle.verdict": " ".join(reasons)},
        documents={"card.json": card, "verdict.json": asdict(verdict)},
    )
    tracking.finish(run_id)
    return {
        "promote": verdict.promote,
        "reasons": list(reasons),
        "version": model.version,
        "sha256": model.sha256,
        "metrics": metrics,
        "champion_version": standing.champion.version if standing.champion else None,
        "champion_f1": standing.f1,
        "champion_etag": standing.etag,
    }


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


def _standing(models: Bucket, contract: Contract, rows: list[Row], test: Split) -> Standing:
    """Read the pointer, re-score its model on the same test rows."""
    pointer = models.get(keys.CHAMPION)
    if pointer is None:
        return Standing(None, None, None)
    champion = Champion.from_json(pointer.data)
    stored = models.get(champion.bundle_key)
    try:
        if stored is None:
            raise BadBundle("Its bundle is gone.")
        bundle = Bundle.from_bytes(stored.data, champion.sha256)
    except BadBundle as error:
        note = f"The champion {champion.version} can't be re-scored: {error}"
        return Standing(pointer.etag, champion, None, note)
    if bundle.contract.version != contract.version:
        note = f"The champion {champion.version} can't be re-scored: it obeys another contract."
        return Standing(pointer.etag, champion, None, note)
    probabilities = [bundle.probability(row) for row in rows]
    f1 = f1_score(test.labels, probabilities, bundle.threshold)
    return Standing(pointer.etag, champion, f1)


def _reference(valid: Split, fitted: Fitted, contract: Contract) -> pa.Table:
    """The version's own sample: the first rows in the order of hashes, which is random."""
    table = valid.table.slice(0, REFERENCE_ROWS)
    probabilities = predict(fitted.booster, encode(table, contract)).astype(np.float64)
    columns: dict[str, Any] = {}
    for feature in contract.features:
        column = table.column(feature.name)
        kind = {"category": pa.string(), "flag": pa.int64(), "number": pa.float64()}[feature.kind]
        columns[feature.column] = column.cast(kind)
    return pa.table(
        columns
        | {
            "probability": probabilities,
            "predicted": probabilities >= fitted.threshold,
            "label": valid.labels[:REFERENCE_ROWS].astype(bool),
        }
    )


def _store(
    models: Bucket, model: ModelRef, content: bytes, reference: pa.Table, card: dict[str, Any]
) -> None:
    """Write the version's three objects; one that is already there stays (they are immutable)."""
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(reference, sink, compression="zstd")
    objects = {
        keys.reference(model.version): (sink.getvalue().to_pybytes(), "application/octet-stream"),
        keys.card(model.version): (json.dumps(card, indent=2).encode(), "application/json"),
        model.bundle_key: (content, "application/gzip"),
    }
    for key, (body, content_type) in objects.items():
        try:
            models.put_if(key, body, etag=None, content_type=content_type)
        except Conflict:
            continue
