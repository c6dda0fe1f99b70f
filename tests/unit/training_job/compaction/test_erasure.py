"""A compaction and an erasure, in each order and at once: nobody's row comes back or is lost."""

from typing import Any

import pytest
from moto import mock_aws

from domain import keys
from domain.training.steps import Compacted, Erased
from tabular.merged_objects import read_merged
from tests.unit.training_job.compaction.world import Killed, killed, run
from tests.unit.training_job.erasure.test_writers import OWN, PREFIX, Machine
from tests.unit.training_job.erasure.world import (
    DAY,
    FRAME,
    SHE,
    ask,
    decode,
    find_traces,
    label,
    make_buckets,
    parquet,
    prediction_id,
    record,
)
from tests.unit.training_job.erasure.world import run as erase
from training_job.compaction import compact
from training_job.compaction.compact import LEAST_OBJECTS
from training_job.compaction.merging import write_merged
from training_job.erasure import erase as erasing
from training_job.erasure.erase import Buckets
from training_job.erasure.writers import refuse_another_rewriter
from training_job.errors import LogInUse

FOLDER = keys.stream("log", DAY)
WHO = [str(person) for person in FRAME["Patient"]]
HERS = [SHE, *(prediction_id(n) for n in (3, 50, 51))]
"""What names her: rows 3, 50 and 51 of the world's people are hers."""


@pytest.fixture
def buckets(moto_aws: None) -> Buckets:
    return _fill()


def _fill() -> Buckets:
    """A log of small objects with four predictions each, and their labels."""
    made = make_buckets()
    for number in range(LEAST_OBJECTS):
        numbers = range(4 * number, 4 * number + 4)
        rows = [record(n, WHO[n], f"v-{n}").to_row() for n in numbers]
        made.predictions.put(f"{FOLDER}{number:04d}.parquet", parquet(rows))
        labels = [label(prediction_id=prediction_id(n)).to_row() for n in numbers]
        made.predictions.put(f"{keys.stream('labels', DAY)}{number:04d}.parquet", parquet(labels))
    ask(made, SHE)
    return made


def _others(buckets: Buckets) -> set[str]:
    """Everybody else's predictions and labels in the latest versions."""
    found = set()
    for entry in buckets.predictions.list(""):
        stored = buckets.predictions.get(entry.key)
        assert stored is not None
        text = decode(stored.data)
        kind = entry.key.partition("/")[0]
        found |= {f"{kind} {n}" for n in range(4 * LEAST_OBJECTS) if prediction_id(n) in text}
    return found


def _everybody_but_her() -> set[str]:
    theirs = [n for n in range(4 * LEAST_OBJECTS) if WHO[n] != SHE]
    return {f"{kind} {n}" for kind in ("log", "labels") for n in theirs}


def _check(buckets: Buckets) -> None:
    assert [] == find_traces(buckets, *HERS)
    assert _everybody_but_her() == _others(buckets)


def _compact(buckets: Buckets, **options: Any) -> Compacted:
    return run(buckets.predictions, **options)


def _count(buckets: Buckets) -> int:
    return sum(1 for _ in buckets.predictions.list(FOLDER))


def test_an_erasure_before_the_merge(buckets: Buckets) -> None:
    erase(buckets)
    assert 2 * LEAST_OBJECTS == _compact(buckets).merged
    _compact(buckets, later=True)
    assert 1 == _count(buckets)
    _check(buckets)


def test_an_erasure_between_merge_and_delete_withdraws_the_merged_object(buckets: Buckets) -> None:
    _compact(buckets)
    erase(buckets)
    _check(buckets)
    assert LEAST_OBJECTS == _count(buckets)  # so nobody reads a row twice from now on
    found = _compact(buckets)
    assert (0, 2 * LEAST_OBJECTS) == (found.withdrawn, found.merged)
    _check(buckets)
    _compact(buckets, later=True)
    assert 1 == _count(buckets)
    _check(buckets)


def test_an_erasure_that_was_killed_before_it_withdrew_withdraws_when_it_is_repeated(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    _compact(buckets)
    monkeypatch.setattr(erasing, "withdraw_stale", _kill)
    with pytest.raises(Killed):
        erase(buckets)
    monkeypatch.undo()
    assert LEAST_OBJECTS + 1 == _count(buckets)
    erase(buckets)
    assert LEAST_OBJECTS == _count(buckets)
    _check(buckets)


def _kill(*_: Any) -> Any:
    raise Killed


def test_an_erasure_after_both_keeps_what_the_footer_says(buckets: Buckets) -> None:
    _compact(buckets)
    _compact(buckets, later=True)
    erase(buckets)
    _check(buckets)
    again = _compact(buckets, later=True)
    assert (0, 0, 0, 0) == (again.merged, again.deleted, again.withdrawn, again.left)
    [entry] = list(buckets.predictions.list(FOLDER))
    one = read_merged(buckets.predictions, entry)
    assert one is not None and LEAST_OBJECTS == len(one.sources)
    assert not one.holds_all


def test_an_erasure_after_a_delete_that_was_cut_off_withdraws_and_loses_nothing(
    buckets: Buckets,
) -> None:
    _compact(buckets)
    buckets.predictions.delete(f"{FOLDER}0001.parquet")  # its rows are in the merged object alone
    erase(buckets)  # the labels' merged object is withdrawn, the log's stays
    found = _compact(buckets, later=True)
    assert (0, 1) == (found.withdrawn, found.left)
    assert LEAST_OBJECTS == _count(buckets)
    _check(buckets)


def _erase_while_merging(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an erasure run once, after the sources are read and before the first one is merged."""
    write, erased = write_merged, list[Erased]()

    def beside(*given: Any) -> Any:
        if not erased:
            erased.append(erase(buckets))
        return write(*given)

    monkeypatch.setattr(compact, "write_merged", beside)


def test_an_erasure_while_rows_are_being_merged_withdraws_what_was_written(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    _erase_while_merging(buckets, monkeypatch)
    found = _compact(buckets)
    assert (1, LEAST_OBJECTS) == (found.withdrawn, found.merged)  # the labels were merged after it
    _check(buckets)
    _compact(buckets)
    _compact(buckets, later=True)
    _check(buckets)
    assert 1 == _count(buckets)


def test_killed_after_the_merge_that_an_erasure_overtook_the_next_one_withdraws_it(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    _erase_while_merging(buckets, monkeypatch)
    create = type(buckets.predictions).create

    def kill(*given: Any) -> Any:
        create(*given)
        raise Killed

    monkeypatch.setattr(type(buckets.predictions), "create", kill)
    with pytest.raises(Killed):
        _compact(buckets)
    monkeypatch.undo()
    assert [] != find_traces(buckets, *HERS)
    assert 1 == _compact(buckets, later=True).withdrawn
    _check(buckets)


@pytest.mark.parametrize("when", ["before the merge", "before the delete"])
def test_a_compaction_while_an_erasure_waits_for_others(buckets: Buckets, when: str) -> None:
    if when == "before the delete":
        _compact(buckets)
    erase(buckets, settle=lambda: _compact(buckets, later=when == "before the delete"))
    _check(buckets)
    _compact(buckets)
    _compact(buckets, later=True)
    assert 1 == _count(buckets)
    _check(buckets)


@pytest.mark.parametrize("step", [12, pytest.param(4, marks=pytest.mark.slow)])
def test_a_compaction_after_an_erasure_that_was_killed_at_a_write(
    moto_environment: None, step: int
) -> None:
    number, was_killed = 0, True
    while was_killed:
        with mock_aws():
            buckets = _fill()
            _compact(buckets)
            with killed(buckets.predictions, number, after=True):
                try:
                    erase(buckets)
                    was_killed = False
                except Killed:
                    pass
            _compact(buckets, later=True)
            erase(buckets)
            _compact(buckets)
            _compact(buckets, later=True)
            _check(buckets)
        number += step
    assert number > 20


@pytest.mark.parametrize("state", ["Erase", "Compact"])
def test_it_refuses_to_start_beside_another_that_rewrites_the_logs(state: str) -> None:
    client: Any = Machine({f"{PREFIX}a": ["Tune"], f"{PREFIX}b": [state, state]})
    with pytest.raises(LogInUse, match=f"b is at work on the logs \\({state}\\)"):
        refuse_another_rewriter(client, OWN)


def test_it_starts_beside_executions_that_only_read_or_have_ended() -> None:
    client: Any = Machine(
        {f"{PREFIX}a": ["Prepare"], f"{PREFIX}b": ["Erase"], f"{PREFIX}c": ["Score"]}
    )
    refuse_another_rewriter(client, OWN)
    assert {} == {key: left for key, left in client.states.items() if left}
