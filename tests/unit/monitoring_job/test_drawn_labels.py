"""Labels of drawn predictions in a drift run: verdict, sentence, mail, and what they can't say."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.drift.drawn_performance import EXPIRY_DAYS
from domain.drift.drift import Outcome
from domain.drift.summary import Summary
from domain.drift.window import Window
from domain.keys import DrawId, RunId
from monitoring_job.reports import reports
from tabular.draws.frame import Frame, load_predictions
from tabular.draws.store import StoredDraw, draw_predictions, write_draw
from tabular.log_objects import LogObjects
from tests.cards import make_card
from tests.unit.monitoring import DAY, NOON, World, log, publish_model, records, scored

DRAWN = DAY + times.DAY
ROWS, COUNT = 6_000, 300


@dataclass
class Logged:
    """A day's predictions with their outcomes, and a draw from them."""

    world: World
    version: str
    truth: dict[str, bool]
    draw: StoredDraw

    def label(self, share: float = 1.0, *, at: datetime = DRAWN + times.DAY) -> None:
        """Labels of a share of the drawn predictions arrive."""
        ids = self.draw.table["prediction_id"].to_pylist()
        self._write(sorted(ids)[: round(share * len(ids))], f"{share}", at)

    def label_all(self) -> None:
        """Labels of all predictions arrive at once."""
        self._write([*self.truth], "all", DRAWN)

    def _write(self, ids: list[str], name: str, at: datetime) -> None:
        observed = times.to_millis(at)
        rows = [
            {
                "prediction_id": each,
                "label": self.truth[each],
                "observed_at": observed,
                "received_at": observed,
            }
            for each in ids
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        key = f"{keys.stream('labels', at.date())}{name}.parquet"
        self.world.bucket.put(key, sink.getvalue().to_pybytes())

    def run(self, *, days_later: int = 5, scheduled: bool = True, days: int = 1) -> Summary:
        """A run over a day some days after the draw; its predictions are like the reference."""
        day = DAY + timedelta(days=days_later)
        table = records(
            scored(500, seed=50 + days_later),
            self.world.contract,
            version=self.version,
            at=times.to_millis(day),
        )
        log(self.world.bucket, table, day=day)
        [summary] = self.world.run(day=day, scheduled=scheduled, mail=not scheduled, days=days)
        return summary


@pytest.fixture(autouse=True)
def _draw_no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in keys.REPORTS:
        monkeypatch.setattr(reports, name, lambda **_: "a page")  # drawing takes a second each


@pytest.fixture
def bucket(moto_bucket: Bucket) -> Bucket:
    return moto_bucket


def _log(bucket: Bucket, contract: Contract, *, changed: bool) -> Logged:
    """Where `changed`, every seventh negative outcome of the old has turned positive."""
    world = World(bucket, contract)
    version = publish_model(bucket, contract)
    frame = scored(ROWS, seed=3)
    truth = frame["label"].to_numpy().copy()
    f1 = float(metrics.f1_score(truth, frame["probability"] >= 0.5))
    card = make_card(version, metrics={"f1": f1}, intervals={"f1": (f1 - 0.01, f1 + 0.01)})
    bucket.put(keys.card(version), card.to_json())
    if changed:
        truth |= _is_old(frame) & (np.arange(ROWS) % 2 == 0)
    table = records(frame, contract, version=version, at=NOON)
    log(bucket, table)
    return Logged(
        world,
        version,
        dict(zip(table["prediction_id"].to_pylist(), truth.tolist(), strict=True)),
        _draw(bucket, contract, version),
    )


def _is_old(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return np.asarray(frame["age"] > 55, dtype=bool)


def _draw(bucket: Bucket, contract: Contract, version: str) -> StoredDraw:
    found = load_predictions(
        log=LogObjects(bucket),
        contract=contract,
        version=version,
        window=Window(DAY, DRAWN),
        sample_rows=100_000,
    ).table
    assert ROWS == found.num_rows
    frame = Frame.of(contract, found, chances=found["probability"].to_numpy(), threshold=0.5)
    draw_id = DrawId(RunId(DAY, DRAWN, version), COUNT, seed=1)
    drawn = draw_predictions(frame, draw_id, drawn_at=times.to_millis(DRAWN), power=0.8)
    write_draw(bucket, drawn)
    return drawn


def test_drawn_labels_show_that_f1_has_fallen_and_one_mail_says_so(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label()
    summary = logged.run()
    drawn = summary.drawn
    assert drawn is not None
    assert (COUNT, COUNT) == (drawn.drawn, drawn.labelled)
    assert (Outcome.PERFORMANCE_DROP, "draw") == (summary.outcome, summary.basis)
    [sentence] = summary.sentences
    figure = drawn.figures["f1"]
    assert figure is not None
    assert f"on the test rows to {figure.value:.3f}, as the drawn labels of 2026-01-31" in sentence
    assert Summary.from_json(summary.to_json()) == summary

    logged.run(days_later=6)
    logged.run(days_later=6, days=28)
    assert ["[diabetes dev] Performance drop (2026-02-05 UTC)"] == logged.world.channels.subjects
    [message] = logged.world.channels.messages
    assert '"declined": ["f1"]' in message["Message"]


def test_the_figures_are_those_of_all_predictions_and_no_change_stays_quiet(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=False)
    logged.label()
    summary = logged.run()
    drawn, truth = summary.drawn, np.array(list(logged.truth.values()))
    assert drawn is not None
    assert (True, False, Outcome.STABLE) == (
        drawn.has_enough_labels,
        drawn.dropped,
        summary.outcome,
    )
    frame = scored(ROWS, seed=3)
    predicted = frame["probability"] >= 0.5
    for name, score in (
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ):
        figure = drawn.figures[name]
        assert figure is not None
        assert figure.low <= score(truth, predicted) <= figure.high
        assert figure.high - figure.low < 0.2


def test_labels_of_uncertain_predictions_do_not_pass_for_those_of_all(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=False)
    logged.label()
    measured = logged.run(days=28).performance
    assert measured is None


def test_where_all_predictions_are_labelled_those_of_a_draw_count_like_any_other(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=False)
    logged.label_all()
    [summary] = logged.world.run(now=DRAWN + times.DAY)
    assert summary.performance is not None
    assert 1.0 == summary.performance.coverage


def test_until_nine_of_ten_labels_are_known_there_is_no_verdict(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label(0.7)
    summary = logged.run(days_later=6)
    assert summary.drawn is not None
    assert (210, False, False) == (
        summary.drawn.labelled,
        summary.drawn.has_enough_labels,
        summary.drawn.dropped,
    )
    assert Outcome.STABLE == summary.outcome
    logged.label()
    assert Outcome.PERFORMANCE_DROP == logged.run().outcome


def test_a_draw_without_any_label_shows_no_figure(bucket: Bucket, contract: Contract) -> None:
    summary = _log(bucket, contract, changed=True).run()
    assert summary.drawn is not None
    assert (0, {}, None) == (summary.drawn.labelled, summary.drawn.figures, summary.drawn.p_value)


def test_a_draw_speaks_for_three_months_and_not_before_it_was_made(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label()
    found = {days: logged.run(days_later=days).drawn for days in (-1, 1, EXPIRY_DAYS + 1)}
    assert [False, True, False] == [drawn is not None for drawn in found.values()]


def test_drawn_labels_give_a_verdict_even_of_a_day_with_few_predictions(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label()
    day = DAY + timedelta(days=3)
    few = records(scored(20, seed=5), contract, version=logged.version, at=times.to_millis(day))
    log(bucket, few, day=day)
    [summary] = logged.world.run(day=day, scheduled=True)
    assert (Outcome.PERFORMANCE_DROP, ()) == (summary.outcome, summary.columns)
    assert 1 == len(summary.sentences)


def test_lines_removed_from_a_draw_count_as_labels_that_never_came(
    bucket: Bucket, contract: Contract
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label()
    kept = pa.array(np.arange(COUNT) % 15 > 0)
    write_draw(bucket, StoredDraw(logged.draw.draw, logged.draw.table.filter(kept)))
    summary = logged.run()
    assert summary.drawn is not None
    assert (300, 280, True) == (
        summary.drawn.drawn,
        summary.drawn.labelled,
        summary.drawn.dropped,
    )


@pytest.mark.parametrize("name", ["draw.json", "predictions.parquet"])
def test_a_damaged_draw_is_left_out_and_no_other_verdict_depends_on_it(
    bucket: Bucket, contract: Contract, name: str
) -> None:
    logged = _log(bucket, contract, changed=True)
    logged.label()
    bucket.put(f"{keys.LABEL_DRAWS}{logged.draw.draw.draw_id}/{name}", b"{}")
    bucket.put(f"{keys.LABEL_DRAWS}something-else/draw.json", b"{}")
    summary = logged.run()
    assert (None, Outcome.STABLE) == (summary.drawn, summary.outcome)


def test_a_drift_mail_without_enough_labels_names_the_command(
    bucket: Bucket, contract: Contract
) -> None:
    world = World(bucket, contract)
    version = publish_model(bucket, contract)
    older = scored(1_000, seed=2).assign(age=lambda frame: frame["age"] + 30)
    log(bucket, records(older, contract, version=version))
    world.run(mail=True)
    [mail] = world.channels.mails
    text = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert "ops labels-wanted --count 300" in text
