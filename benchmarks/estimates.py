"""Missing values, equal rows, threshold and search: what a model answers, and what it learns.

DIABETES_CSV names the Kaggle "diabetes prediction dataset"; without it the sample data is measured,
without targets. One set of parameters is fitted per salt, so that only the data differs.
`benchmarks.choices` has the rows about threshold and search.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa

from benchmarks.choices import measure_searches, measure_thresholds
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, main
from domain import keys
from domain.contract.contract import Contract
from domain.model.missing_effect import MissingEffect
from ops.commands.data import sample_data
from ops.laptop import ROOT
from training_job.dataset.dataset import Split
from training_job.dataset.prepare import prepare
from training_job.evaluation.missing import measure_missing
from training_job.model import masking
from training_job.model.model import TrainingData, fit, predict_split, quality

SALTS = 3
SAMPLE_ROWS = 100_000
PARAMS = {"max_depth": 5, "learning_rate": 0.1, "min_child_weight": 10.0}
COARSE = ("age", "bmi")
"""Without these columns most rows of the file have an equal."""


def measure(seed: int) -> Iterator[Figure]:
    """Mean over the salts of the share of negatives answered positive, with and without masking."""
    real = os.environ.get("DIABETES_CSV", "")
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        raw = folder / "data" / keys.RAW / "a.csv"
        raw.parent.mkdir(parents=True)
        if real:
            shutil.copyfile(real, raw)
        else:
            sample_data.make(rows=SAMPLE_ROWS, seed=seed, path=raw)
        sides = [_prepare(folder, contract, str(salt)) for salt in range(SALTS)]
        with _share(0.0):
            before = [_train(side, contract, seed) for side in sides]
        after = [_train(side, contract, seed) for side in sides]
        yield from _effects(before, after, targets=bool(real))
        yield from _equal_rows(folder, contract, seed)
        yield from measure_thresholds(sides[0], contract, seed)
    yield from measure_searches()


def _effects(before: list[Any], after: list[Any], *, targets: bool) -> Iterator[Figure]:
    f1, masked_f1 = (mean(f1 for f1, _ in results) for results in (before, after))
    yield Figure("test F1, nothing blanked", f1, "")
    yield Figure("test F1 lost by blanking 5 %", f1 - masked_f1, "", "<= 0.004" if targets else "")
    for index, effect in enumerate(after[0][1]):
        name = effect.feature
        old, new = ([effects[index] for _, effects in results] for results in (before, after))
        yield Figure(f"without {name}: negatives positive, before", _positive(old), "%")
        limit = "<= 2" if targets else ""
        yield Figure(f"without {name}: negatives positive", _positive(new), "%", limit)
        yield Figure(f"without {name}: mean answer, before", 100 * mean(e.mean for e in old), "%")
        yield Figure(f"without {name}: mean answer", 100 * mean(e.mean for e in new), "%")
        yield Figure(f"without {name}: ROC AUC, before", mean(e.roc_auc for e in old), "")
        yield Figure(f"without {name}: ROC AUC", mean(e.roc_auc for e in new), "")


def _positive(effects: list[MissingEffect]) -> float:
    return 100 * mean(effect.false_positives for effect in effects)


def _equal_rows(folder: Path, contract: Contract, seed: int) -> Iterator[Figure]:
    """The same file without the columns that tell people apart."""
    document = contract.to_dict()
    document["features"] = [f for f in document["features"] if f["name"] not in COARSE]
    document["segments"] = []
    coarse = Contract.from_dict(document)
    sides = _prepare(folder, coarse, "0")
    rows = sum(len(side.labels) for side in sides.values())
    table = pa.concat_tables([side.table for side in sides.values()]).unify_dictionaries()
    different = table.group_by(table.column_names).aggregate([]).num_rows
    f1, _ = _train(sides, coarse, seed)
    without = " and ".join(COARSE)
    yield Figure(f"without {without}: rows kept", rows, "")
    yield Figure(f"without {without}: different rows", different, "")
    yield Figure(f"without {without}: test F1", f1, "")


def _prepare(folder: Path, contract: Contract, salt: str) -> dict[str, Split]:
    made = prepare(
        contract=contract,
        bucket=FolderS3(folder).bucket("data"),
        raw_prefix=keys.RAW,
        salt=salt,
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    return {
        side: Split.read(folder / "data" / keys.dataset(made.dataset_id, side), contract=contract)
        for side in keys.SPLITS
    }


def _train(
    sides: dict[str, Split], contract: Contract, seed: int
) -> tuple[float, tuple[MissingEffect, ...]]:
    """``(test F1, effect of each missing feature)``."""
    data = TrainingData.of(sides["train"], sides["valid"], contract, seed=seed)
    fitted, test = fit(data, PARAMS, seed=seed), sides["test"]
    scores = predict_split(fitted.booster, test, contract)
    effects = measure_missing(fitted.booster, test, contract, threshold=fitted.threshold, masked=())
    return quality(test.labels, scores, fitted.threshold)["f1"], effects


@contextmanager
def _share(share: float) -> Iterator[None]:
    """Blank that share in training for a while."""
    usual, masking.SHARE = masking.SHARE, share
    try:
        yield
    finally:
        masking.SHARE = usual


if __name__ == "__main__":
    main("estimates", measure)
