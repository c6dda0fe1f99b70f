"""Tune: the search goes on whatever dies, and where it was."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adapters.registry import RegistryUnavailable
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.training.steps import Tuned
from tests.unit.patients import csv, patients
from training_job.dataset.dataset import Split
from training_job.dataset.prepare import prepare
from training_job.errors import Interrupted, OutOfMemory, TrainingError
from training_job.model.encoding import encode
from training_job.model.model import TrainingData, fit, predict
from training_job.search import search as searching
from training_job.search.fitters import Died, Done, Fitters, Message, Task
from training_job.search.study import STARTUP_TRIALS
from training_job.search.trial_log import TrialLog
from training_job.search.tune import tune


@dataclass
class FakeTracking:
    """Remembers what was logged; raises when `down`."""

    down: bool = False
    trials: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)

    def run_of(self, execution: str) -> str:
        return f"run-of-{execution}"

    def experiment_id(self) -> str:
        return "1"

    def close_abandoned_trials(self, parent_run: str) -> None:
        pass

    def log_trial(self, *, name: str, **_: Any) -> None:
        if self.down:
            raise RegistryUnavailable("MLflow is down.")
        self.trials.append(name)

    def log_dataset(self, _: str, *, manifest: Any, **__: Any) -> None:
        self.datasets.append(manifest["dataset_id"])


@pytest.fixture
def data(moto_bucket: Bucket, contract: Contract) -> dict[str, Any]:
    """A prepared dataset, and the arguments of `tune` that go with it."""
    moto_bucket.put(f"{keys.RAW}a.csv", csv(patients(2_000, seed=1)))
    prepared = prepare(
        contract=contract,
        bucket=moto_bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.0,
        execution="prepare",
        say=lambda _: None,
    )
    return {
        "contract": contract,
        "data": moto_bucket,
        "models": moto_bucket,
        "dataset_id": prepared.dataset_id,
        "execution": "e",
        "seed": 1,
        "processes": 2,
    }


def search(data: dict[str, Any], **options: Any) -> tuple[Tuned, list[str], FakeTracking]:
    """``(result, what was said, what was logged)``."""
    said: list[str] = []
    tracking = FakeTracking(down=options.pop("down", False))
    chosen: Any = tracking
    result = tune(**{**data, "tracking": chosen, "trials": 6, "say": said.append, **options})
    return result, said, tracking


def test_one_process_finds_the_same_parameters_again(data: dict[str, Any]) -> None:
    first, _, _ = search(data, processes=1, execution="a")
    again, _, _ = search(data, processes=1, execution="b")
    assert first.params == again.params
    assert 6 == first.trials


def test_a_retried_step_runs_only_the_trials_that_are_missing(data: dict[str, Any]) -> None:
    _, _, first = search(data, trials=4)
    result, said, second = search(data, trials=6)
    assert (4, 2, 6) == (len(first.trials), len(second.trials), result.trials)
    assert "2 of 6 trials to go" in said[0]
    assert not set(first.trials) & set(second.trials)


def test_a_search_whose_time_is_over_ends_with_a_whole_trial(data: dict[str, Any]) -> None:
    result, said, tracking = search(data, trials=30, minutes=0, processes=1)
    assert (True, 1, 0) == (result.timed_out, result.trials, result.pruned)
    assert ["trial-0"] == tracking.trials
    assert "The time of 0 min was over after 1 trial." == said[-1]


def test_running_trials_stop_at_their_next_report_when_the_time_is_over(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count(step=20.0).__next__)  # a look takes 20 s
    monkeypatch.setattr(searching, "time", clock)
    result, _, _ = search(data, trials=30, minutes=5, processes=1)
    assert result.timed_out
    assert 1 <= result.pruned < result.trials < STARTUP_TRIALS  # too few for Optuna to stop one


def test_a_search_with_time_left_has_all_its_trials(data: dict[str, Any]) -> None:
    result, said, _ = search(data, trials=3, minutes=60)
    assert (False, 3, 0) == (result.timed_out, result.trials, sum("over" in line for line in said))


@pytest.mark.parametrize("ended", [1, 11])
def test_a_search_that_was_interrupted_finds_what_an_uninterrupted_one_finds(
    data: dict[str, Any], ended: int
) -> None:
    whole, _, _ = search(data, processes=1, trials=13, execution="whole")
    search(data, processes=1, trials=ended, execution="parts")
    parts, _, _ = search(data, processes=1, trials=13, execution="parts")
    assert (whole.params, whole.valid_log_loss) == (parts.params, parts.valid_log_loss)
    assert whole.best_trial == parts.best_trial


def test_a_journal_cut_short_is_continued(data: dict[str, Any]) -> None:
    search(data, trials=3)
    bucket, key = data["models"], keys.study("e")
    bucket.put(key, bucket.get(key).data[:-20])
    result, _, _ = search(data, trials=5)
    assert 5 == result.trials


def test_a_killed_process_loses_its_own_trial_only(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    receive = Fitters.receive

    def kill_one(self: Fitters) -> Iterator[Message]:
        if not killed:
            killed.append(self.process_ids[0])
            os.kill(killed[0], signal.SIGKILL)
        yield from receive(self)

    monkeypatch.setattr(Fitters, "receive", kill_one)
    result, said, tracking = search(data, trials=6)
    (lost,) = (line for line in said if "died" in line)
    assert "exit code -9" in lost
    assert "1 process continues" in lost
    assert 5 == result.trials == len(tracking.trials)
    _, _, rest = search(data, trials=6)
    assert 1 == len(rest.trials)


@pytest.mark.parametrize(
    ("processes", "way", "error"),
    [
        (1, signal.SIGKILL, OutOfMemory),
        (2, signal.SIGKILL, OutOfMemory),
        (1, signal.SIGTERM, Interrupted),
    ],
)
def test_when_no_process_is_left_the_step_fails_by_name_and_a_retry_goes_on(
    data: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
    way: int,
    error: type[TrainingError],
) -> None:
    receive = Fitters.receive

    def kill_all_at_the_second_trial(self: Fitters) -> Iterator[Message]:
        if any(number >= processes for number in self._busy.values()):
            for process_id in self.process_ids:
                os.kill(process_id, way)
        yield from receive(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fitters, "receive", kill_all_at_the_second_trial)
        with pytest.raises(error, match=r"[12] of 6 trials had ended"):
            search(data, processes=processes)
    result, said, _ = search(data, processes=processes)
    assert 6 == result.trials
    assert said[0].startswith(("5 of 6 trials to go", "4 of 6 trials to go"))


def test_a_hopeless_trial_is_given_up(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([0.3] * 8 + [0.0001] * 2)
    monkeypatch.setattr(
        searching, "space", lambda trial, **_: {"max_depth": 3, "learning_rate": next(rates)}
    )
    result, _, tracking = search(data, trials=10, processes=1)
    assert (10, 2) == (result.trials, result.pruned)
    assert ["trial-8 (given up)", "trial-9 (given up)"] == tracking.trials[8:]


def test_trials_outlive_a_tracking_server_that_is_down(data: dict[str, Any]) -> None:
    with pytest.raises(RegistryUnavailable):
        search(data, down=True)
    result, _, tracking = search(data)
    assert (6, []) == (result.trials, tracking.trials)


def test_once_nobody_fits_any_more_a_server_that_is_down_is_asked_no_further() -> None:
    """Each call has its own patience: a thousand that wait would outlast the step."""
    tracking: Any = FakeTracking()
    log, calls, said = TrialLog(tracking, "run", "1", "f1"), list[str](), list[str]()

    def fails_at_the_end(*, name: str, **_: Any) -> None:
        calls.append(name)
        while not log.settling:
            time.sleep(0.001)
        raise RegistryUnavailable("MLflow is down.")

    tracking.log_trial = fails_at_the_end
    with log:
        for number in range(5):
            log.add(Done(number, 0.0, 1.0, log_loss=0.5), {})
        with pytest.raises(RegistryUnavailable):
            log.settle(said.append)
    assert ["trial-0"] == calls
    assert ["5 of 5 trials could not be logged to MLflow"] == said


def test_the_dataset_is_the_runs_input(data: dict[str, Any]) -> None:
    _, _, tracking = search(data, trials=1)
    assert [data["dataset_id"]] == tracking.datasets


@pytest.mark.parametrize("direction", ["increasing", "decreasing"])
def test_a_monotone_feature_is_followed_in_its_direction_only(
    data: dict[str, Any], contract: Contract, direction: str
) -> None:
    document = contract.to_dict()
    document["features"][1]["monotone"] = direction  # age
    bound = Contract.from_dict(document)
    splits = [
        Split.download(data["data"], data["dataset_id"], name, bound) for name in ("train", "valid")
    ]
    booster = fit(TrainingData.of(splits[0], splits[1], bound, seed=1), {}, seed=1).booster
    matrix = encode(splits[1].table, bound)[:50]
    position = bound.encoded_names.index("age")
    scores = []
    for age in range(0, 100, 5):
        matrix[:, position] = age
        scores.append(predict(booster, matrix))
    steps = np.diff(np.array(scores), axis=0) * (1 if direction == "increasing" else -1)
    assert bool((steps >= 0).all())
    assert bool((steps > 0).any() or direction == "decreasing")


def test_processes_answer_in_any_order_and_end_with_the_context(
    data: dict[str, Any], contract: Contract
) -> None:
    train, valid = (
        Split.download(data["data"], data["dataset_id"], side, contract)
        for side in ("train", "valid")
    )
    work = TrainingData.of(train, valid, contract, seed=1)
    with Fitters(work, count=2, seed=1) as fitters:
        process_ids = fitters.process_ids
        for number in range(2):
            assert fitters.start(Task(number, {"max_depth": 2})) is None
        assert not fitters.idle()
        done: list[int] = []
        while fitters.busy:
            for message in fitters.receive():
                assert not isinstance(message, Died)
                if isinstance(message, Done):
                    done.append(message.number)
                else:
                    fitters.answer(message.number, False)
    assert {0, 1} == set(done)
    for process_id in process_ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)
