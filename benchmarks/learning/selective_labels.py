"""Labels that are selected by answer, score and segment: what weights make of them.

Repeated draws of 10,000 predictions of a fitted model. Labels come for 80 % of the positive
answers, and for 10 to 30 % of the others, by age and score. Measured are F1 from the labelled rows
alone and with weights, against the F1 of the population, and how often the interval holds that.
The twin has labels for a random 30 %: there every weight has to be exactly 1.

Then a concept changes: people from 50 on are diagnosed from an HbA1c of 6 on. 60,000 uploaded rows
know the old concept. Of 20,000 predictions 30 % have a label, selected in the same way. The model
that the search chooses by them is compared on new data with one that is trained on every label.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from benchmarks.harness import Figure
from domain.contract.contract import Contract
from domain.contract.objective import F1
from domain.contract.records import SAMPLING_WEIGHT
from ops.laptop import ROOT
from ops.samples import diabetes_rows
from tabular.classification import Bools, Floats
from tabular.coverage import Weights, weigh
from tabular.labels import UNKNOWN
from training_job.dataset.dataset import Split
from training_job.evaluation.bootstrap import metric_interval
from training_job.model.encoding import encode
from training_job.model.model import (
    UPLOADED_WEIGHT,
    Fitted,
    TrainingData,
    fit,
    predict,
    predict_split,
)

REPEATS = 200
POOL, FITTED_ON, PREDICTIONS = 200_000, 60_000, 10_000
PARAMS = {"max_depth": 4, "learning_rate": 0.15, "min_child_weight": 5.0}
COVERAGE = 0.3
NEW_PREDICTIONS, NEW_ROWS = 20_000, 60_000
UPLOADED_WEIGHTS = (1.0, 0.3, 0.1, 0.03, 0.01)


def measure(seed: int) -> Iterator[Figure]:
    """Bias and intervals, then the change of the concept."""
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    rng = np.random.default_rng(seed)
    table = _type(
        pa.concat_tables(diabetes_rows.chunks(rows=FITTED_ON + POOL, seed=seed)), contract
    )
    truth = table.column(contract.target).cast(pa.int8()).to_numpy() == 1
    fitted = _fit(table, truth, contract, seed)
    log, labels = _answer(table.slice(FITTED_ON), fitted, contract), truth[FITTED_ON:]
    yield from _measure_weights(log, labels, contract, rng)
    yield from _measure_concept_change(table, truth, fitted, contract, rng)


def _measure_weights(
    log: pa.Table, truth: Bools, contract: Contract, rng: np.random.Generator
) -> Iterator[Figure]:
    whole = _f1(truth, log["predicted"].to_numpy())
    for name, selective in (("selective", True), ("random", False)):
        plain, weighted, inside, effective, ones = [], [], [], [], []
        for repeat in range(REPEATS):
            rows = rng.choice(POOL, PREDICTIONS, replace=False)
            some, real = log.take(pa.array(rows)), truth[rows]
            answers = some["predicted"].to_numpy()
            known = _choose(some, rng) if selective else rng.random(len(rows)) < COVERAGE
            found = _weigh(some, real, known, contract)
            plain.append(_f1(real[known], answers[known]) - whole)
            interval = metric_interval(
                F1, real[known], answers[known], seed=repeat, weights=found.weights
            )
            assert interval is not None
            weighted.append(interval.value - whole)
            inside.append(interval.low <= whole <= interval.high)
            effective.append(found.coverage.effective_rows / found.coverage.labelled)
            ones.append(bool(np.all(found.weights == 1.0)))
        yield Figure(f"{name} labels: bias of F1 without weights", float(np.mean(plain)), "")
        bias = abs(float(np.mean(weighted)))
        yield Figure(f"{name} labels: bias of F1 with weights", bias, "", "<= 0.005")
        yield Figure(f"{name} labels: interval holds F1", float(np.mean(inside)), "", ">= 0.93")
        yield Figure(f"{name} labels: effective rows per row", float(np.mean(effective)), "")
        target = "<= 0.0" if selective else ">= 0.97"
        yield Figure(f"{name} labels: every weight is 1", float(np.mean(ones)), "", target)
    unknown = 0.0
    for case in ("label", "predicted"):
        for _ in range(REPEATS // 4):
            rows = rng.choice(POOL, PREDICTIONS, replace=False)
            some, real = log.take(pa.array(rows)), truth[rows]
            known = real if case == "label" else some["predicted"].to_numpy().copy()
            unknown += bool(_weigh(some, real, known, contract).coverage.unknown) / (REPEATS // 2)
    yield Figure("labels for the sick alone: nothing is concluded", unknown, "", ">= 1.0")


def _measure_concept_change(
    table: pa.Table, truth: Bools, champion: Fitted, contract: Contract, rng: np.random.Generator
) -> Iterator[Figure]:
    rows = table.slice(FITTED_ON, NEW_PREDICTIONS + NEW_ROWS)
    changed = _change(rows, truth[FITTED_ON : FITTED_ON + NEW_PREDICTIONS + NEW_ROWS])
    log, new = rows.slice(0, NEW_PREDICTIONS), rows.slice(NEW_PREDICTIONS)
    seen, unseen = changed[:NEW_PREDICTIONS], changed[NEW_PREDICTIONS:]
    answered = _answer(log, champion, contract)
    known = _choose(answered, rng)
    found = _weigh(answered, seen, known, contract)
    old = _split(table.slice(0, FITTED_ON), truth[:FITTED_ON], np.ones(FITTED_ON), uploaded=True)
    some = log.filter(pa.array(known))
    learned = _learn(old, _split(some, seen[known], found.weights, uploaded=False), contract)
    full = _learn(old, _split(log, seen, np.ones(NEW_PREDICTIONS), uploaded=False), contract)
    test = _split(new, unseen, np.ones(NEW_ROWS), uploaded=False)
    scores = {
        name: _f1(unseen, predict_split(model.booster, test, contract) >= model.threshold)
        for name, model in (("champion", champion), ("learned", learned), ("full", full))
    }
    yield Figure("concept change: F1 of the champion on new data", scores["champion"], "")
    yield Figure("concept change: labelled share of the predictions", float(known.mean()), "")
    yield Figure("concept change: F1 of the model from selected labels", scores["learned"], "")
    yield Figure("concept change: F1 of the model from all labels", scores["full"], "")
    lost = scores["full"] - scores["learned"]
    yield Figure("concept change: F1 lost for want of labels", lost, "", "<= 0.01")


def _learn(old: Split, new: Split, contract: Contract) -> Fitted:
    """The best of several weights of uploaded rows by the log loss on the validation rows."""
    sides = []
    for part in (0, 1):
        pieces = []
        for split in (old, new):
            chosen = (np.arange(len(split.labels)) % 7 == 0) == bool(part)
            pieces.append((split.table.filter(pa.array(chosen)), split.labels[chosen]))
        table = pa.concat_tables([piece[0] for piece in pieces])
        sides.append(Split(table, np.concatenate([piece[1] for piece in pieces])))
    data = TrainingData.of(sides[0], sides[1], contract, seed=1)
    assert data.weights is not None
    assert data.weights.search_uploaded
    models = [fit(data, PARAMS | {UPLOADED_WEIGHT: w}, seed=1) for w in UPLOADED_WEIGHTS]
    return min(models, key=lambda model: model.valid_log_loss)


def _split(table: pa.Table, labels: Bools, weights: Floats, *, uploaded: bool) -> Split:
    ids = pa.nulls(len(labels), pa.string()) if uploaded else pa.repeat("p", len(labels))
    table = table.append_column(SAMPLING_WEIGHT, pa.array(weights))
    return Split(table.append_column("prediction_id", ids), labels.astype(np.int8))


def _type(table: pa.Table, contract: Contract) -> pa.Table:
    """The sample's texts as the numbers that they are."""
    for feature in contract.features:
        if feature.kind != "category":
            place = table.column_names.index(feature.name)
            numbers = table.column(feature.name).cast(pa.float64())
            table = table.set_column(place, feature.name, numbers)
    return table


def _fit(table: pa.Table, truth: Bools, contract: Contract, seed: int) -> Fitted:
    matrix, labels = encode(table.slice(0, FITTED_ON), contract), truth[:FITTED_ON].astype(np.int8)
    cut = FITTED_ON * 3 // 4
    data = TrainingData.build(matrix[:cut], labels[:cut], matrix[cut:], labels[cut:])
    return fit(data, PARAMS, seed=seed)


def _answer(table: pa.Table, fitted: Fitted, contract: Contract) -> pa.Table:
    """The rows as the log has them: features by their column names, score and answer."""
    scores = predict(fitted.booster, encode(table, contract)).astype(np.float64)
    columns = {feature.column: table.column(feature.name) for feature in contract.features}
    answers = {"probability": scores, "predicted": scores >= fitted.threshold}
    return pa.table(columns | answers)


def _choose(log: pa.Table, rng: np.random.Generator) -> Bools:
    """Which predictions get a label: by answer, score and age."""
    score, age = log["probability"].to_numpy(), log["age"].to_numpy()
    others = np.where(age >= 50, 0.4, 0.2) + np.where(score > 0.02, 0.1, 0.0)
    chance = np.where(log["predicted"].to_numpy(), 0.8, others)
    return np.asarray(rng.random(log.num_rows) < chance * COVERAGE / chance.mean())


def _weigh(log: pa.Table, truth: Bools, known: Bools, contract: Contract) -> Weights:
    return weigh(
        sample=log,
        sample_labels=np.where(known, truth, UNKNOWN).astype(np.int8),
        rows=log.filter(pa.array(known)),
        labels=truth[known].astype(np.int8),
        predictions=log.num_rows,
        contract=contract,
    )


def _change(table: pa.Table, truth: Bools) -> Bools:
    """The labels after the change of the concept."""
    older = table["age"].to_numpy() >= 50
    return np.asarray(np.where(older, table["HbA1c_level"].to_numpy() >= 6.0, truth))


def _f1(truth: Bools, answers: Bools) -> float:
    both = int(np.count_nonzero(truth & answers))
    return 2 * both / max(int(np.count_nonzero(truth) + np.count_nonzero(answers)), 1)
