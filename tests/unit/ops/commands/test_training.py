"""How the operator's commands speak of a training: progress, failures, rollback, consistency."""

from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.failures import (
    ADVICE,
    OTHERWISE,
    UNEXPECTED,
    explain_failure,
    name_operator,
    split_cause,
)
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.consistency import Consistency
from domain.model.gate.evidence import Rule
from domain.training.steps import Evaluated, Prepared, Promoted, Tuned
from ops import console, executions
from ops.commands.machine import status
from ops.commands.models import ledger, promote, rollback, train
from ops.errors import OpsError
from ops.executions import Result

VERSIONS = [ModelRef.of(number, f"{number}" * 64) for number in (1, 2, 3)]


class FakeTarget:
    """A stage with a models bucket, whose executions are only noted."""

    laptop = None

    def __init__(self, bucket: Bucket | None) -> None:
        self._bucket = bucket

    def bucket(self, _: str) -> Bucket:
        assert self._bucket is not None
        return self._bucket

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.bucket("models"))

    def champion(self) -> Champion | None:
        return self.models.read_champion()


@pytest.mark.parametrize("error", ["BadData", "SomethingNew"])
def test_the_first_line_of_a_cause_says_what_to_do_and_is_found_again(error: str) -> None:
    cause = explain_failure(error, "raw/a.csv lacks the column age.")
    todo, why = split_cause(error, cause, operator="ops")
    assert cause.splitlines()[0] == todo == ADVICE.get(error, OTHERWISE)
    assert "raw/a.csv lacks the column age." == why


def test_a_cause_that_the_machine_made_gets_its_advice_too() -> None:
    assert (ADVICE["States.Timeout"], "") == split_cause("States.Timeout", "", operator="ops")
    assert (UNEXPECTED, "A path\nis wrong.") == split_cause(
        "States.Runtime", "A path\nis wrong.", operator="ops"
    )


@pytest.mark.parametrize("cause", ["The pointer is gone.", "made"])
def test_advice_names_the_command_line_as_it_is_called(cause: str) -> None:
    here = "ops --stage dev"
    if cause == "made":
        cause = name_operator(explain_failure("PointerLost", "The pointer is gone."), here)
    todo, why = split_cause("PointerLost", cause, operator=here)
    assert f"Restore the champion pointer from the ledger: {here} repair pointer" == todo
    assert "The pointer is gone." == why


def test_off_a_terminal_progress_tells_trials_best_loss_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("ops.console.time.monotonic", lambda: next(clock))
    with console.Progress("train", total=20, unit=" trials") as progress:
        progress.detail("")
        progress.reach(1)
        progress.detail("best log loss 0.0812")
        progress.reach(5)
        progress.reach(10)
        progress.reach(20)
    assert [
        "train: 5 of 20 trials, best log loss 0.0812, about 30 s left",
        "train: 10 of 20 trials, best log loss 0.0812, about 20 s left",
        "train: 20 of 20 trials, best log loss 0.0812",
    ] == capsys.readouterr().err.splitlines()


def _rollback(monkeypatch: pytest.MonkeyPatch, target: FakeTarget, **options: Any) -> Any:
    started: list[Any] = []
    monkeypatch.setattr(executions, "start", lambda _, document: started.append(document))
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: Result("arn", {}))
    place: Any = target
    rollback.run(place, **options)
    return started


@pytest.fixture
def target(moto_bucket: Bucket) -> FakeTarget:
    first = Champion.successor(None, VERSIONS[0], action="promote", execution="a", now=1)
    second = Champion.successor(first, VERSIONS[1], action="promote", execution="b", now=2)
    moto_bucket.put(keys.CHAMPION, second.to_json())
    return FakeTarget(moto_bucket)


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({}, VERSIONS[0].version),
        ({"to": VERSIONS[2].version}, VERSIONS[2].version),
        ({"version": VERSIONS[2].version}, VERSIONS[2].version),
    ],
    ids=["the previous one", "as an option", "as an argument"],
)
def test_a_rollback_names_the_version_that_shall_serve(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget, options: dict[str, str], version: str
) -> None:
    """Sent twice, for a lost answer, it can't go back twice."""
    target.bucket("models").put(keys.bundle(VERSIONS[2].version), b"x")
    document = {"promote_version": version, "replaces_seq": 2}
    assert [document] == _rollback(monkeypatch, target, **options)


@pytest.mark.parametrize("promoted", [True, False])
def test_a_rollback_says_which_version_serves_again(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget, promoted: bool
) -> None:
    previous = VERSIONS[0].version
    ended = Promoted(promoted=promoted, version=previous, reasons=("Rolled back.",))
    result = Result("arn", {Promoted.step: ended.to_dict()})
    monkeypatch.setattr(executions, "start", lambda *_: "arn")
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: result)
    place: Any = target
    expected = f"Version {previous} serves." if promoted else "The champion stays."
    assert expected == rollback.run(place).shown[0]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"to": "latest"}, "looks like"),
        ({"to": VERSIONS[1].version}, "serves already"),
        ({"to": VERSIONS[2].version}, "There is no version 3-33333333"),
        ({"to": VERSIONS[2].version, "version": VERSIONS[0].version}, "Two versions are named"),
    ],
)
def test_a_rollback_that_makes_no_sense_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(OpsError, match=complaint):
        _rollback(monkeypatch, target, **options)


def _promote(monkeypatch: pytest.MonkeyPatch, target: FakeTarget, *arguments: str) -> Any:
    started: list[Any] = []
    monkeypatch.setattr(executions, "start", lambda _, document: started.append(document))
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: Result("arn", {}))
    place: Any = target
    version, reason = arguments
    promote.run(place, version, reason=reason)
    return started


@pytest.mark.parametrize(("champion", "seq"), [(True, 2), (False, 0)])
def test_a_version_is_promoted_with_the_reason_and_what_it_replaces(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget, champion: bool, seq: int
) -> None:
    version = VERSIONS[2].version
    target.bucket("models").put(keys.bundle(version), b"x")
    if not champion:
        target.bucket("models").delete(keys.CHAMPION)
    started = _promote(monkeypatch, target, version, " Good enough to start with. ")
    reason = "Good enough to start with."
    assert [{"promote_version": version, "replaces_seq": seq, "reason": reason}] == started


@pytest.mark.parametrize(
    ("version", "reason", "complaint"),
    [
        (VERSIONS[1].version, "Why not?", "serves already"),
        (VERSIONS[2].version, "Why not?", "There is no version"),
        (VERSIONS[0].version, "  ", "The reason has 0 characters"),
        (VERSIONS[0].version, "x" * 501, "The reason has 501 characters"),
    ],
)
def test_a_promotion_that_makes_no_sense_starts_nothing(
    monkeypatch: pytest.MonkeyPatch,
    target: FakeTarget,
    version: str,
    reason: str,
    complaint: str,
) -> None:
    with pytest.raises(OpsError, match=complaint):
        _promote(monkeypatch, target, version, reason)


def _evaluated(rule: Rule) -> Evaluated:
    return Evaluated(
        promote=False,
        rule=rule,
        reasons=("Test F1 0.4200 is below 0.5000, the minimum_f1 in [gate] of the contract.",),
        version="1-0a1b2c3d",
        sha256="s",
        metrics={"f1": 0.42},
        f1_interval=(0.4, 0.5),
    )


@pytest.mark.parametrize(
    ("rule", "shown", "hint"),
    [
        ("first", "no other does yet", "python -m ops promote 1-0a1b2c3d --reason TEXT"),
        ("paired", "The champion stays.", "python -m ops ledger"),
    ],
)
def test_a_refused_first_model_is_no_dead_end(rule: Rule, shown: str, hint: str) -> None:
    evaluated = _evaluated(rule)
    answer = train.describe_verdict(Result("arn", {evaluated.step: evaluated.to_dict()}))
    text = "".join(map(console.render, answer.shown))
    assert shown in text
    assert "minimum_f1 in [gate] of the contract" in " ".join(text.split())
    assert hint in answer.next_step
    assert (rule == "first") is ("champion" not in text)


@pytest.mark.parametrize("timed_out", [True, False])
def test_a_training_says_when_its_search_ran_out_of_time(timed_out: bool) -> None:
    tuned = Tuned(
        trials=7,
        pruned=2,
        best_trial=3,
        valid_log_loss=0.1,
        params={},
        run_id="r",
        timed_out=timed_out,
    )
    output: dict[str, object] = {
        result.step: result.to_dict() for result in (tuned, _evaluated("first"))
    }
    text = console.render(train.describe_verdict(Result("arn", output)).shown[1])
    sentence = "its time was over after 7 trials; --search-minutes N gives it more"
    assert timed_out == (sentence in " ".join(text.split()))


def test_a_damaged_entry_is_a_line_below_the_ledger(target: FakeTarget) -> None:
    champion = target.champion()
    assert champion is not None
    entry = LedgerEntry.of(champion, ("Better.",))
    target.bucket("models").put(entry.key, entry.to_json())
    damaged = keys.ledger_entry(1, "promote", VERSIONS[0].version)
    target.bucket("models").put(damaged, b"{")
    place: Any = target
    answer = ledger.run(place)
    assert "python -m ops status --check" == answer.next_step
    table, last = answer.shown
    assert f"{damaged}: A ledger entry can't be decoded: The LedgerEntry is not JSON." == last
    assert VERSIONS[1].version in console.render(table).splitlines()[-1]


def test_status_shows_what_the_last_check_found(target: FakeTarget) -> None:
    place: Any = target
    assert [("consistency", "not checked yet; --check does")] == status.describe_consistency(place)
    found = Consistency(checked_at=0, version=VERSIONS[1].version, seq=2, problems=())
    target.bucket("models").put(keys.CHECK, found.to_json())
    ((_, agreed),) = status.describe_consistency(place)
    assert "champion, ledger and registry agree, seq 2, 1970-01-01 00:00:00 UTC" == agreed
    bad = Consistency(checked_at=0, version=None, seq=0, problems=("The ledger lacks seq 1.",))
    target.bucket("models").put(keys.CHECK, bad.to_json())
    assert ("problem", "The ledger lacks seq 1.") == status.describe_consistency(place)[1]


def test_a_training_says_what_was_left_out_once() -> None:
    left_out = ("5 of 100 rows were left out.", "Copies were counted once.")
    prepared = Prepared(
        dataset_id="d",
        rows={"train": 70, "valid": 15, "test": 10},
        rows_read=100,
        rows_quarantined=5,
        rows_repeated=0,
        left_out=left_out,
    )
    evaluated = Evaluated(
        promote=True,
        rule="first",
        reasons=("Better.", left_out[0]),
        version="1-0a1b2c3d",
        sha256="s",
        metrics={"f1": 0.8},
        f1_interval=(0.7, 0.9),
    )
    output: dict[str, object] = {result.step: result.to_dict() for result in (prepared, evaluated)}
    answer = train.describe_verdict(Result("arn", output))
    lines = "".join(map(console.render, answer.shown)).splitlines()
    assert ["95 rows of 100 read", *left_out] == [
        line.split(maxsplit=1)[1] for line in lines if line.strip().startswith("data")
    ]
    assert ["Better."] == [
        line.split(maxsplit=1)[1] for line in lines if line.strip().startswith("reason")
    ]
