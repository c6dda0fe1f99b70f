"""A lost champion pointer is named by whoever needs it, and restored from the ledger."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.model_store import ModelStore
from domain import keys
from domain.contract.contract import Contract
from domain.training.steps import Promoted
from tests.unit.training_job.promotion.test_promote_crash import (
    Killed,
    RegistryClient,
    WatchedBucket,
    World,
    Writes,
    world,
)
from training_job.errors import NothingToPromote, PointerLost
from training_job.evaluation.incumbent import Incumbent
from training_job.promotion.choice import OVERTAKEN
from training_job.promotion.pointer import read_pointer
from training_job.promotion.repair import RESTORED, SOUND, repair

__all__ = ["world"]  # the fixture

LOSSES: dict[str, Callable[[World], Any]] = {
    "gone": lambda w: w.bucket.delete(keys.CHAMPION),
    "damaged": lambda w: w.bucket.put(keys.CHAMPION, b'{"seq": 2'),
    "empty": lambda w: w.bucket.put(keys.CHAMPION, b""),
}
lost = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())


def _repair(world: World, execution: str = "mend", writes: Writes | None = None) -> Promoted:
    writes = writes or Writes()
    client: Any = RegistryClient(world.registry, writes)
    return repair(
        models=WatchedBucket.of(world.bucket, writes),
        tracking=client,
        execution=execution,
        say=lambda _: None,
    )


def _promote_two(world: World) -> None:
    world.promote(2, "two", etag=world.etag())


@lost
def test_the_newest_version_of_the_ledger_serves_again_and_seq_goes_on(
    world: World, lose: Callable[[World], Any]
) -> None:
    _promote_two(world)
    lose(world)
    result = _repair(world)
    one, two = (world.models[number] for number in (1, 2))
    assert (True, 3, two.version) == (result.promoted, result.seq, result.version)
    assert (3, two, one, "repair") == (
        world.champion().seq,
        world.champion().model,
        world.champion().previous,
        world.champion().action,
    )
    assert [one.version, two.version, two.version] == world.history()
    assert () == world.check().problems
    newest = keys.ledger_entry(3, "repair", two.version)
    assert (RESTORED,) == ModelStore(world.bucket).read_entry(newest).reasons
    world.ask("back", rollback=True)
    assert one == world.champion().model
    assert () == world.check().problems


@lost
def test_whoever_needs_a_lost_pointer_says_so_and_starts_no_second_history(
    world: World, contract: Contract, lose: Callable[[World], Any]
) -> None:
    _promote_two(world)
    lose(world)
    asks: list[Callable[[], object]] = [
        lambda: read_pointer(ModelStore(world.bucket)),
        lambda: Incumbent.read(world.bucket, contract),
        lambda: world.promote(3, "three", etag=None),
        lambda: world.ask("back", rollback=True),
    ]
    for ask in asks:
        with pytest.raises(PointerLost, match="The champion pointer"):
            ask()
    assert 2 == len(world.history())


@lost
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("after", [False, True])
def test_a_killed_repair_is_completed_by_its_repetition(
    world: World, lose: Callable[[World], Any], number: int, after: bool
) -> None:
    _promote_two(world)
    lose(world)

    def kill() -> None:
        raise Killed

    hooks = {number: kill}
    with pytest.raises(Killed):
        _repair(world, writes=Writes(after=hooks) if after else Writes(before=hooks))
    assert (True, 3) == (_repair(world).promoted, world.champion().seq)
    assert 3 == len(world.history())
    assert () == world.check().problems


def test_a_sound_pointer_is_left_alone(world: World) -> None:
    _promote_two(world)
    before = world.bucket.get(keys.CHAMPION)
    result = _repair(world)
    assert (False, (SOUND,)) == (result.promoted, result.reasons)
    assert before == world.bucket.get(keys.CHAMPION)


def test_a_promotion_that_is_faster_than_the_repair_stays(world: World) -> None:
    _promote_two(world)
    lost, pointer = world.bucket.get(keys.CHAMPION), keys.CHAMPION
    assert lost is not None
    world.bucket.put(pointer, b"{")

    def other() -> None:
        world.bucket.put(pointer, lost.data)

    result = _repair(world, writes=Writes(before={1: other}))
    assert (False, (OVERTAKEN,)) == (result.promoted, result.reasons)
    assert 2 == world.champion().seq


def test_a_version_whose_bundle_is_damaged_is_passed_over(world: World) -> None:
    _promote_two(world)
    world.bucket.put(world.models[2].bundle_key, b"x")
    world.bucket.delete(keys.CHAMPION)
    assert (3, world.models[1].version) == (_repair(world).seq, world.champion().version)


def test_without_a_bundle_or_an_entry_there_is_nothing_to_restore(world: World) -> None:
    world.bucket.delete(keys.CHAMPION)
    world.bucket.put(world.models[1].bundle_key, b"x")
    with pytest.raises(NothingToPromote, match="No entry of the ledger"):
        _repair(world)
    for entry in list(world.bucket.list(keys.LEDGER)):
        world.bucket.delete(entry.key)
    with pytest.raises(NothingToPromote, match="no champion yet"):
        _repair(world)
