"""Outcomes change, labels tell, and the loop learns from them.

The loop's own functions on the emulator, with a real MLflow database; times are those of the story.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from adapters.model_store import ModelStore
from adapters.registry import Tracking
from adapters.s3 import Bucket
from benchmarks.learning.recovery import DAY, Loop, choose_labelled
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.drift.drift import Outcome
from domain.drift.incident import Transition
from domain.drift.summary import Summary
from monitoring_job.reports import reports
from tests.repository import CONTRACT_TOML
from tests.unit.monitoring import Channels
from tests.unit.patients import patients

UPLOADED, LOGGED = 3_000, 6_000
MATURE = DAY + 10 * times.DAY


@dataclass
class Story:
    """A champion whose outcomes have changed since it was trained, and the mails so far."""

    loop: Loop
    version: str
    logged: pd.DataFrame
    truth: "pd.Series[int]"
    channels: Channels

    def label(self, chosen: npt.NDArray[np.bool_]) -> None:
        self.loop.label(self.logged[chosen], self.truth[chosen], MATURE)

    def check(self) -> Summary:
        """The scheduled run over the day, after the labels have come."""
        [summary] = self.loop.check_drift(DAY, now=MATURE + times.DAY)
        return summary

    def read_subjects(self) -> list[str]:
        """What the mails so far say: their subjects without model, stage and day."""
        found = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in self.channels.mails]
        return [text.split("] ")[1].split(" (")[0] for text in found]

    def live_a_day(self, version: str, number: int) -> Summary:
        """Log another day with the new outcomes, label it in the same way, and check it."""
        day = MATURE + (1 + number) * times.DAY
        frame = _patients(LOGGED, seed=10 + number, changed=True)
        logged = self.loop.log(frame, version, day)
        chosen = choose_labelled(logged, 0.6, np.random.default_rng(number))
        self.loop.label(logged[chosen], frame["diabetes"][chosen], day + times.DAY)
        [summary] = self.loop.check_drift(day, now=day + 2 * times.DAY)
        return summary


def _patients(rows: int, *, seed: int, changed: bool) -> pd.DataFrame:
    """Made-up people; where `changed`, the outcome is positive for all from 45 years on."""
    frame = patients(rows, seed=seed)
    if changed:
        frame["diabetes"] |= (frame["age"] >= 45).astype(int)
    return frame


@pytest.fixture
def story(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """The first training has seen the old outcomes; a day with the new ones is logged."""
    for name in keys.REPORTS:
        monkeypatch.setattr(reports, name, lambda **_: "a page")  # drawing takes a second each
    monkeypatch.setattr("training_job.evaluation.evaluate.draw", lambda *_: [])
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", "recovery")
    tracking.client.create_experiment(tracking.model_name, f"{tmp_path}/artifacts")
    channels = Channels()
    loop = Loop(
        contract=Contract.parse(CONTRACT_TOML.read_text()),
        bucket=bucket,
        tracking=tracking,
        notifier=channels.notifier(),
        # The sample is small.
        limits=GateLimits(minimum_f1=0.3, maximum_calibration_error=0.5, segment_margin=0.2),
        trials=6,
    )
    loop.upload(_patients(UPLOADED, seed=1, changed=False))
    version = loop.promote(loop.train()).version
    frame = _patients(LOGGED, seed=2, changed=True)
    return Story(loop, version, loop.log(frame, version, DAY), frame["diabetes"], channels)


def test_labels_show_a_changed_concept_and_the_loop_learns_and_promotes_it(
    story: Story,
) -> None:
    chosen = choose_labelled(story.logged, 0.6, np.random.default_rng(1))
    story.label(chosen)
    fallen = story.check()
    assert (Outcome.PERFORMANCE_DROP, "labels") == (fallen.outcome, fallen.basis)
    assert 1 == len(story.channels.mails)

    decision = story.loop.decide(Transition.OPEN, [fallen], labels_at=times.to_millis(MATURE))
    assert decision.execution is not None
    before = story.loop.find_f1(_patients(3_000, seed=3, changed=True), story.version)
    evaluated = story.loop.train(until=times.to_millis(MATURE), name=decision.execution)
    assert evaluated.promote, evaluated.reasons
    promoted = story.loop.promote(evaluated)
    champion = ModelStore(story.loop.bucket).read_champion()
    assert champion is not None
    assert promoted.version == champion.version != story.version
    after = story.loop.find_f1(_patients(3_000, seed=3, changed=True), promoted.version)
    assert after > before + 0.05

    days = [story.live_a_day(promoted.version, number) for number in range(2)]
    assert [Outcome.STABLE] * 2 == [day.outcome for day in days], days[0].sentences
    assert all("Labels are selective" in " ".join(day.problems) for day in days)
    assert ["Performance drop", "Recovered: No drift"] == story.read_subjects()


def test_a_challenger_that_labels_for_the_sick_alone_teach_nothing_does_not_serve(
    story: Story,
) -> None:
    story.label(story.truth.to_numpy() == 1)
    run = story.check()
    assert run.performance is None
    assert Outcome.PERFORMANCE_DROP not in run.findings
    assert "nothing can be known of the predictions without a label" in " ".join(run.problems)
    evaluated = story.loop.train(until=times.to_millis(MATURE), name="sick-alone")
    assert not evaluated.promote, evaluated.reasons
    assert story.version == evaluated.champion_version
