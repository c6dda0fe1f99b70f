"""A deployment's stores, filled with what a year of work leaves: models, runs and a log."""

import io
import json
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from domain import keys, times
from domain.bundle import Bundle, digest
from domain.champion import Action, Champion, LedgerEntry, ModelRef
from domain.contract import Contract
from domain.drift import Outcome
from domain.incident import AlertState, Incident
from domain.keys import RunId
from domain.run_index import IndexEntry, RunIndex
from domain.summary import ColumnDrift, Profile, RowCounts, Summary, Test
from tests.unit.fakes import random_forest

ATTACK = "<img src=x onerror=\"document.title='owned'\">"
"""A category's name that becomes an element wherever text is taken for markup."""

REPORT = b"""<!doctype html><title>Report</title><body style="font-family: sans-serif">
<h1>Drift report</h1><p id="told">nothing yet</p><script>
const told = [];
const attempt = (name, action) => {
  try { action(); told.push(`reached ${name}`); } catch { told.push(`no ${name}`); }
};
attempt("page", () => { parent.document.title = "owned"; });
attempt("key", () => parent.sessionStorage.length);
attempt("storage", () => localStorage.length);
document.getElementById("told").textContent = told.join(", ");
</script>"""
"""A page that says how far its script came."""


TYPICAL = {
    "age": (41.9, 22.5),
    "bmi": (27.3, 6.6),
    "HbA1c_level": (5.5, 1.1),
    "blood_glucose_level": (138.0, 40.7),
    "probability": (0.085, 0.21),
}
"""Mean and deviation of the numbers, so that a picture of the page looks like a real one."""


def contract(text: str) -> Contract:
    """The default contract with the attack as one more category of smoking_history."""
    quoted = ATTACK.replace("\\", "\\\\").replace('"', '\\"')
    return Contract.parse(text.replace('"not current"]', f'"not current", "{quoted}"]'))


@dataclass(frozen=True)
class Stores:
    """The buckets of a deployment."""

    models: Bucket
    predictions: Bucket
    reports: Bucket

    def clear(self) -> None:
        """Back to what a first deployment finds."""
        for bucket in (self.models, self.predictions, self.reports):
            for found in list(bucket.list("")):
                bucket.delete(found.key)

    def fill(
        self, contract: Contract, *, now: datetime, runs: int, predictions: int, seed: int = 1
    ) -> list[str]:
        """Models, a run a day, 30 days of predictions; returns the run ids, latest first."""
        rng = random.Random(seed)
        versions = self._models(contract, now, rng)
        ids = self._runs(contract, versions[-1], now, runs, rng)
        self._log(contract, versions[-1], now, predictions, rng)
        return ids

    def _models(self, contract: Contract, now: datetime, rng: random.Random) -> list[str]:
        champion: Champion | None = None
        refs: list[ModelRef] = []
        steps: list[tuple[Action, int, float, str]] = [
            ("promote", 1, 0.791, "There is no champion yet and the limits hold."),
            ("promote", 2, 0.806, f"Segment smoking_history={ATTACK} loses less than 0.02."),
            ("promote", 3, 0.803, "F1 gains 0.004 to 0.011 on the same rows."),
            ("rollback", 2, 0.806, "Asked for by an operator."),
        ]
        for step, (action, number, f1, reason) in enumerate(steps):
            if action == "promote":
                refs.append(self._model(contract, number, f1, now, rng))
            when = now - times.DAY * (40 - 12 * step)
            champion = Champion.succeeding(
                champion,
                refs[number - 1],
                action=action,
                execution=f"arn:execution-{step}",
                now=times.to_millis(when),
            )
            entry = LedgerEntry.of(champion, (reason, "Calibration error 0.006 keeps the limit."))
            self.models.put(entry.key, entry.to_json())
        assert champion is not None
        self.models.put(keys.CHAMPION, champion.to_json())
        return [ref.version for ref in (refs[0], refs[2], refs[1])]

    def _model(
        self, contract: Contract, number: int, f1: float, now: datetime, rng: random.Random
    ) -> ModelRef:
        forest = random_forest(contract, rng.randrange(1000), trees=20, depth=4)
        data = Bundle(contract, forest, 0.42).to_bytes()
        ref = ModelRef.of(number, digest(data))
        figures = {"f1": f1, "precision": 0.94, "recall": 0.71, "roc_auc": 0.978, "pr_auc": 0.88}
        figures |= {"brier": 0.024, "log_loss": 0.085}
        card = {
            "version": ref.version,
            "registered_at": times.to_millis(now - times.DAY * (50 - 12 * number)),
            "dataset_id": "a3" * 32,
            "contract_version": contract.version,
            "target": contract.target,
            "threshold": 0.42,
            "trees": 20,
            "params": {"max_depth": 4, "learning_rate": 0.0734, "subsample": 0.8},
            "metrics": figures,
            "intervals": {name: [value * 0.985, value * 1.014] for name, value in figures.items()},
            "segments": [
                {
                    "segment": f"smoking_history={ATTACK}",
                    "rows": 900,
                    "positives": 80,
                    "f1": 0.78,
                    "f1_interval": [0.71, 0.84],
                    "precision": 0.9,
                    "recall": 0.69,
                },
            ],
            "verdict": {"promote": True, "reasons": ["The limits hold."]},
            "rows": {"train": 70_000, "valid": 15_000, "test": 15_000},
            "prevalence": 0.085,
            "reference_rows": 10_000,
            "mlflow_run_id": "0f" * 16,
        }
        self.models.put(ref.bundle_key, data)
        self.models.put(keys.card(ref.version), json.dumps(card).encode())
        return ref

    def _runs(
        self, contract: Contract, version: str, now: datetime, count: int, rng: random.Random
    ) -> list[str]:
        summaries = [_summary(contract, version, now, back, rng) for back in range(1, count + 1)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda s: self.reports.put(keys.summary(s.id), s.to_json()), summaries))
        index = RunIndex(tuple(IndexEntry.of(found) for found in summaries))
        self.reports.put(keys.RUN_INDEX, index.to_json())
        for found in summaries[:2]:
            for name in found.reports:
                self.reports.put(keys.report(found.id, name), REPORT, content_type="text/html")
        if summaries and summaries[0].outcome.is_drift:
            drifted = tuple(c.column for c in summaries[0].drifted)
            incident = Incident(
                moved_to=summaries[0].end,
                outcome=summaries[0].outcome,
                drifted=drifted,
                opened_at=summaries[min(2, count - 1)].end,
            )
            self.reports.put(keys.ALERT_STATE, AlertState(incident).to_json())
        return [found.run_id for found in summaries]

    def _log(
        self, contract: Contract, version: str, now: datetime, count: int, rng: random.Random
    ) -> None:
        today = now.astimezone(UTC).date()
        for back in range(30):
            day = today - times.DAY * back
            rows = [_record(contract, version, day, now, rng) for _ in range(count // 30)]
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows), sink)
            self.predictions.put(f"{keys.stream('log', day)}seed.parquet", sink.getvalue())


def _summary(
    contract: Contract, version: str, now: datetime, back: int, rng: random.Random
) -> Summary:
    end = times.start_of(now.astimezone(UTC).date()) - times.DAY * (back - 1)
    shifted = back <= 3 or 100 < back < 108 or rng.random() < 0.03
    columns = tuple(
        _column(feature.name, feature.column, feature.kind, shifted and i in (6, 7), rng)
        for i, feature in enumerate(contract.features)
    )
    prediction = _column("probability", "probability", "number", shifted and back > 100, rng)
    outcome = Outcome.STABLE
    if shifted:
        outcome = Outcome.PREDICTION_DRIFT if back > 100 else Outcome.DATA_DRIFT
    run_id = RunId(end - times.DAY, end, version)
    summary = Summary(
        run_id=str(run_id),
        version=version,
        start=times.to_millis(end - times.DAY),
        end=times.to_millis(end),
        computed_at=times.to_millis(end) + 14 * 3_600_000,
        scheduled=True,
        outcome=outcome,
        findings=(outcome,) if shifted else (),
        rows=RowCounts(logged=3300 + rng.randrange(200), sampled=3000, copies=3),
        reference_rows=10_000,
        columns=columns,
        prediction=prediction,
        reports=("data_drift", "prediction_drift"),
        mail="sent" if back == 3 else "not_needed",
    )
    return summary if back > 1 else replace(summary, reports=keys.REPORTS)


def _column(name: str, column: str, kind: str, drifted: bool, rng: random.Random) -> ColumnDrift:
    effect = rng.uniform(0.15, 0.3) if drifted else abs(rng.gauss(0.03, 0.015))
    q_value = 0.0001 if drifted else rng.uniform(0.2, 0.9)
    test = Test(
        aspect="values",
        method="wasserstein" if kind == "number" else "jensenshannon",
        rows=3000,
        effect=effect,
        p_value=q_value / 2,
        q_value=q_value,
        drifted=drifted,
    )
    mean, deviation = TYPICAL[name] if kind == "number" else (None, None)
    reference = Profile(rows=10_000, missing=0.01, invalid=0.0, mean=mean, deviation=deviation)
    shift = mean + effect * deviation if mean and deviation else None
    current = replace(reference, rows=3000, mean=shift)
    return ColumnDrift(
        name=name,
        column=column,
        kind=kind,  # type: ignore[arg-type]  # a kind of the contract
        reference=reference,
        current=current,
        tests=(test,),
    )


def _record(
    contract: Contract, version: str, day: date, now: datetime, rng: random.Random
) -> dict[str, object]:
    start, end = times.start_of(day), min(times.start_of(day) + times.DAY, now)
    probability = rng.betavariate(0.4, 4)
    features = {
        f.column: rng.choice(f.categories)
        if f.kind == "category"
        else int(rng.random() < 0.1)
        if f.kind == "flag"
        else rng.uniform(f.minimum, f.maximum)
        for f in contract.features
    }
    return {
        "prediction_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "predicted_at": rng.randrange(times.to_millis(start), times.to_millis(end)),
        "model_version": version,
        "contract_version": contract.version,
        "probability": probability,
        "threshold": 0.42,
        "predicted": probability >= 0.42,
        "source": "api",
        "sample_key": rng.randrange(10_000),
        **features,
    }
