"""A deployment's stores, filled with what a year of work leaves: models, runs, log and labels.

The champion has a reference sample like the log, so that drift runs of these data are real ones.
"""

import io
import itertools
import random
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from statistics import NormalDist
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.drift.alert_state import AlertState, PastIncident
from domain.drift.disclosure import round_significant
from domain.drift.drift import Outcome
from domain.drift.fairness import GroupFigure, GroupMeasure, SegmentPerformance
from domain.drift.incident import Incident, Transition
from domain.drift.performance import Calibration, Expectation, LabelShift, Performance
from domain.drift.retraining import Decision
from domain.drift.run_index import IndexEntry, RunIndex
from domain.drift.summary import (
    ColumnDrift,
    Histogram,
    Profile,
    RowCounts,
    SegmentDrift,
    Summary,
    Test,
)
from domain.interval import Interval
from domain.keys import RunId
from domain.model.bundle import Bundle, digest
from domain.model.card import CardVerdict
from domain.model.champion import Action, Champion, LedgerEntry, ModelRef
from domain.model.curves import Curves
from domain.schedule import LOOK_BACK, LOOK_BACK_DAYS, Schedule
from monitoring_job.reports.findings import sentences
from tests.cards import SEGMENT, make_card
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


THRESHOLD = 0.42
REFERENCE_ROWS = 5_000
SERVES_DAYS = 4
"""So long the champion has been back; before, another version served."""
NO_DATA, INSUFFICIENT = 9, 10
"""So many days ago there was no prediction, and there were too few."""
TYPICAL = {
    "age": (41.9, 22.5),
    "bmi": (27.3, 6.6),
    "HbA1c_level": (5.5, 1.1),
    "blood_glucose_level": (138.0, 40.7),
    "probability": (0.085, 0.21),
}
"""Mean and deviation of the numbers, so that a picture of the page looks like a real one."""
SHARES = {
    "gender": {"Female": 0.585, "Male": 0.405},
    "smoking_history": {"never": 0.351, "No Info": 0.358, "former": 0.0935, "current": 0.0929},
    "hypertension": {"0": 0.915, "1": 0.0749},
    "heart_disease": {"0": 0.951, "1": 0.0394},
    "diabetes": {"0": 0.915, "1": 0.085},
}
"""Shares of the groups of the other columns, likewise."""


FULL_SEGMENT = replace(
    SEGMENT,
    selection_rate=0.081,
    selection_rate_interval=(0.075, 0.087),
    false_positive_rate=0.0045,
    false_positive_rate_interval=(0.003, 0.006),
    calibration_error=0.021,
    calibration_error_interval=(0.0, 0.05),
)
"""A segment with every figure."""
CURVES = Curves(
    importance={
        "HbA1c_level": 1.31,
        "blood_glucose_level": 1.12,
        "age": 0.78,
        "bmi": 0.31,
        "hypertension": 0.12,
        "smoking_history": 0.09,
        "heart_disease": 0.06,
        "gender": 0.04,
    },
    roc=(
        (0.0, 0.0),
        (0.002, 0.61),
        (0.02, 0.74),
        (0.06, 0.85),
        (0.13, 0.93),
        (0.3, 0.99),
        (1.0, 1.0),
    ),
    calibration=((0.002, 0.001), (0.011, 0.009), (0.04, 0.043), (0.13, 0.121), (0.55, 0.561)),
)
"""What the plots of every card are drawn from."""


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

    def fill(
        self, contract: Contract, *, now: datetime, runs: int, predictions: int, seed: int = 1
    ) -> list[str]:
        """Models, runs, 30 days of predictions; returns the ids of daily runs, latest first."""
        rng = random.Random(seed)
        versions = self._models(contract, now, rng)
        ids = self._runs(contract, versions[-1], now, runs, rng)
        self._log(contract, versions, now, predictions, rng)
        return ids

    def _models(self, contract: Contract, now: datetime, rng: random.Random) -> list[str]:
        """The versions, the champion last."""
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
                verdict = CardVerdict(
                    promote=True,
                    rule="paired" if champion else "first",
                    reasons=(reason,),
                    champion_version=champion.version if champion else None,
                )
                refs.append(self._model(contract, number, f1, now, rng, verdict=verdict))
            when = now - times.DAY * (40 - 12 * step)
            champion = Champion.successor(
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
        rows = [_scored(contract, rng) for _ in range(REFERENCE_ROWS)]
        self.models.put(keys.reference(champion.version), _parquet(rows))
        return [ref.version for ref in (refs[0], refs[2], refs[1])]

    def _model(
        self,
        contract: Contract,
        number: int,
        f1: float,
        now: datetime,
        rng: random.Random,
        *,
        verdict: CardVerdict,
    ) -> ModelRef:
        forest = random_forest(contract, rng.randrange(1000), trees=20, depth=4)
        data = Bundle(contract, forest, THRESHOLD).to_bytes()
        ref = ModelRef.of(number, digest(data))
        figures = {"f1": f1, "precision": 0.94, "recall": 0.71, "roc_auc": 0.978, "pr_auc": 0.88}
        figures |= {"brier": 0.024, "log_loss": 0.085}
        card = make_card(
            ref.version,
            registered_at=times.to_millis(now - times.DAY * (50 - 12 * number)),
            contract_version=contract.version,
            target=contract.target,
            threshold=THRESHOLD,
            trees=20,
            curves=CURVES,
            verdict=verdict,
            params={"max_depth": 4, "learning_rate": 0.0734, "subsample": 0.8},
            metrics=figures,
            intervals={name: (value * 0.985, value * 1.014) for name, value in figures.items()},
            segments=(
                replace(SEGMENT, segment=f"smoking_history={ATTACK}", rows=15_000),
                replace(FULL_SEGMENT, segment="gender=Female", rows=9_100),
                replace(SEGMENT, segment="gender=Male", rows=5_896),
                replace(SEGMENT, segment="gender=Other", rows=4, positives=1),
            ),
        )
        self.models.put(ref.bundle_key, data)
        self.models.put(keys.card(ref.version), card.to_json())
        return ref

    def _runs(
        self, contract: Contract, version: str, now: datetime, count: int, rng: random.Random
    ) -> list[str]:
        summaries = [_summary(contract, version, now, back, rng) for back in range(1, count + 1)]
        stored = [*summaries, _look_back(summaries, now)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda s: self.reports.put(keys.summary(s.id), s.to_json()), stored))
        stored.sort(key=lambda found: (found.end, found.computed_at), reverse=True)
        index = RunIndex(tuple(IndexEntry.of(found) for found in stored))
        self.reports.put(keys.RUN_INDEX, index.to_json())
        for found in summaries[:2]:
            for name in found.reports:
                self.reports.put(keys.report(found.id, name), REPORT, content_type="text/html")
        if summaries and summaries[0].outcome.is_drift:
            drifted = tuple(c.column for c in summaries[0].drifted)
            incident = Incident(
                last_window_end=summaries[0].end,
                outcome=summaries[0].outcome,
                drifted=drifted,
                opened_at=summaries[min(2, count - 1)].end,
            )
            past = PastIncident(
                kind="daily",
                opened_at=summaries[-1].end,
                closed_at=summaries[-1].end + 5 * times.DAY_MS,
                outcome=Outcome.DATA_DRIFT,
                drifted=("age",),
            )
            self.reports.put(keys.ALERT_STATE, AlertState(incident, past=(past,)).to_json())
            decision = Decision(
                reason=(
                    "There is no data newer than the last successful training: no upload, and no"
                    " labels that have matured since. Upload recent labelled data, or send labels."
                ),
                execution=None,
                transition=Transition.OPEN,
                run_ids=(summaries[min(2, count - 1)].run_id,),
                decided_at=incident.last_window_end,
            )
            self.reports.put(keys.retraining("0123456789abcdef"), decision.to_json())
        return [found.run_id for found in summaries]

    def _log(
        self, contract: Contract, versions: list[str], now: datetime, count: int, rng: random.Random
    ) -> None:
        """The champion's predictions since it came back, another version's before; labels."""
        today = now.astimezone(UTC).date()
        days = [today - times.DAY * back for back in range(30)]
        weights = [rng.uniform(0.9, 1.1) * (0.5 if day.weekday() > 4 else 1.0) for day in days]
        counts = [int(count * weight / sum(weights)) for weight in weights]
        counts[1] += count - sum(counts)
        for back, (day, number) in enumerate(zip(days, counts, strict=True)):
            version = versions[-1] if back < SERVES_DAYS else versions[-2]
            rows = [_record(contract, version, day, now, rng) for _ in range(number)]
            labels = [_label(row) for row in rows]
            for row in rows:
                del row["label"]
            self.predictions.put(f"{keys.stream('log', day)}seed.parquet", _parquet(rows))
            if back < SERVES_DAYS:
                self.predictions.put(f"{keys.stream('labels', day)}seed.parquet", _parquet(labels))


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
    if back == 1:
        hostile = (f"HbA1c_level: the mean rose {ATTACK}.",) if shifted else ()
        return _with_labels(replace(summary, sentences=hostile), rng)
    summary = replace(summary, sentences=sentences(summary))
    if back in (NO_DATA, INSUFFICIENT):
        return _unjudged(summary, Outcome.NO_DATA if back == NO_DATA else Outcome.INSUFFICIENT_DATA)
    return summary


def _look_back(summaries: list[Summary], now: datetime) -> Summary:
    """The weekly run that was due last: over the four weeks before its Monday."""
    schedule = Schedule.parse(LOOK_BACK)
    assert schedule is not None
    due = max(schedule.list_due(now - 8 * times.DAY, now))
    end = times.start_of(due.date())
    start = end - LOOK_BACK_DAYS * times.DAY
    return replace(
        summaries[-1],
        run_id=str(RunId(start, end, summaries[-1].version)),
        start=times.to_millis(start),
        end=times.to_millis(end),
        computed_at=times.to_millis(due),
        outcome=Outcome.STABLE,
        findings=(),
        sentences=(),
    )


def _with_labels(summary: Summary, rng: random.Random) -> Summary:
    """The same with all that a run can say."""
    drifted = replace(summary.columns[6], tests=(_test("number", True, rng),))
    figures = {
        "f1": Interval(value=0.774, low=0.741, high=0.805),
        "precision": Interval(value=0.93, low=0.9, high=0.955),
        "recall": Interval(value=0.663, low=0.62, high=0.705),
        "roc_auc": None,
    }
    return replace(
        summary,
        reports=keys.REPORTS,
        segments=(
            SegmentDrift(
                name=f"smoking_history={ATTACK}", rows=912, reference_rows=2_890, columns=(drifted,)
            ),
            SegmentDrift(
                name="gender=Female",
                rows=1_690,
                reference_rows=5_820,
                columns=summary.columns[1:2],
                performance=_group_figures(),
            ),
            SegmentDrift(name="gender=Other", rows=None, reference_rows=None),
        ),
        target=_column("diabetes", "label", "flag", False, rng),
        performance=Performance(
            labelled=640,
            coverage=640 / 3000,
            positives=71,
            figures=figures,
            test={"f1": 0.806, "precision": 0.94, "recall": 0.71, "roc_auc": 0.978},
            has_enough_labels=True,
            calibration=Calibration(
                slope=Interval(value=0.94, low=0.82, high=1.06),
                observed_ratio=Interval(value=1.05, low=0.88, high=1.22),
                declined=False,
            ),
        ),
        expectation=Expectation(
            f1=Interval(value=0.781, low=0.752, high=0.808),
            label_shift=LabelShift(
                f1=Interval(value=0.79, low=0.758, high=0.822), prevalence=0.0912
            ),
            reference_f1=0.801,
            calibrated=True,
            dropped=False,
        ),
    )


def _group_figures() -> SegmentPerformance:
    values: dict[GroupMeasure, tuple[float, float]] = {
        "selection_rate": (0.071, 0.08),
        "recall": (0.612, 0.742),
        "false_positive_rate": (0.0104, 0.0112),
        "precision": (0.871, 0.894),
        "f1": (0.719, 0.811),
        "calibration_error": (0.121, 0.084),
    }
    figures = {
        name: GroupFigure(
            now=Interval(value=now, low=0.9 * now, high=1.08 * now),
            reference=reference,
            p_value=0.4,
            q_value=0.6,
        )
        for name, (now, reference) in values.items()
    }
    worse = replace(figures["recall"], p_value=2e-7, q_value=4e-6, changed=True)
    return SegmentPerformance(
        labelled=None, positives=44, has_enough_labels=True, figures=figures | {"recall": worse}
    )


def _unjudged(summary: Summary, outcome: Outcome) -> Summary:
    rows = 0 if outcome is Outcome.NO_DATA else 41
    return replace(
        summary,
        outcome=outcome,
        findings=(),
        rows=RowCounts(logged=rows, sampled=rows),
        reference_rows=0,
        columns=(),
        prediction=None,
        reports=(),
    )


def _column(name: str, column: str, kind: str, drifted: bool, rng: random.Random) -> ColumnDrift:
    test = _test(kind, drifted, rng)
    mean, deviation = TYPICAL[name] if kind == "number" else (None, None)
    shares = SHARES.get(name, {})
    reference = Profile(
        rows=10_000, missing=0.01, invalid=0.0, mean=mean, deviation=deviation, shares=shares
    )
    shift = round_significant(mean + test.effect * deviation) if mean and deviation else None
    moved = {
        group: round_significant(share * rng.uniform(0.98, 1.01)) for group, share in shares.items()
    }
    current = replace(reference, rows=3000, mean=shift, shares=moved)
    return ColumnDrift(
        name=name,
        column=column,
        kind=kind,  # type: ignore[arg-type]  # a kind of the contract
        reference=reference,
        current=current,
        tests=(test,),
        histogram=_histogram(mean, deviation, test.effect) if mean and deviation else None,
    )


def _histogram(mean: float, deviation: float, effect: float) -> Histogram:
    """Normal values; in the window they have moved by so many deviations."""
    steps = (mean + deviation * step for step in range(-2, 4))
    edges = tuple(round_significant(step) for step in steps if step > 0)
    before, after = NormalDist(mean, deviation), NormalDist(mean + effect * deviation, deviation)

    def shares(values: NormalDist) -> tuple[float | None, ...]:
        reached = [0.0, *(values.cdf(edge) for edge in edges), 1.0]
        return tuple(round_significant(b - a) for a, b in itertools.pairwise(reached))

    old, new = shares(before), shares(after)
    return Histogram(edges=edges, reference=(*old[:-1], None), current=new)


def _test(kind: str, drifted: bool, rng: random.Random) -> Test:
    effect = rng.uniform(0.15, 0.3) if drifted else abs(rng.gauss(0.03, 0.015))
    q_value = 0.0001 if drifted else rng.uniform(0.2, 0.9)
    return Test(
        aspect="values",
        method="wasserstein" if kind == "number" else "jensenshannon",
        rows=3000,
        effect=effect,
        p_value=q_value / 2,
        q_value=q_value,
        drifted=drifted,
    )


def _scored(contract: Contract, rng: random.Random) -> dict[str, object]:
    """Features, score and truth of one made-up patient."""
    probability = rng.betavariate(0.4, 4)
    return {
        **{feature.column: _value(feature, rng) for feature in contract.features},
        "probability": probability,
        "predicted": probability >= THRESHOLD,
        "label": (probability >= THRESHOLD) != (rng.random() < 0.01),
    }


def _value(feature: Feature, rng: random.Random) -> str | int | float:
    if feature.kind == "category":
        return rng.choice(feature.categories)
    if feature.kind == "flag":
        return int(rng.random() < 0.1)
    number = round(rng.gauss(*TYPICAL[feature.name]), 1)
    return min(max(number, feature.minimum), feature.maximum)


def _record(
    contract: Contract, version: str, day: date, now: datetime, rng: random.Random
) -> dict[str, Any]:
    start, end = times.start_of(day), min(times.start_of(day) + times.DAY, now)
    return {
        **_scored(contract, rng),
        "prediction_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "predicted_at": rng.randrange(times.to_millis(start), times.to_millis(end)),
        "model_version": version,
        "contract_version": contract.version,
        "threshold": THRESHOLD,
        "source": "api",
        "sample_key": rng.randrange(10_000),
        "reference": f"visit-{rng.randrange(10_000)}",
        "subject": None,
    }


def _label(record: Mapping[str, Any]) -> dict[str, Any]:
    at = record["predicted_at"]
    own = {name: record[name] for name in ("prediction_id", "label")}
    return {**own, "reference": None, "observed_at": at, "received_at": at}


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()
