"""Promotion killed between any two writes, and two promotions at once, end in one story."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.registry import RegistryUnavailable
from adapters.s3 import Bucket, Conflict
from domain import keys, times
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.consistency import Consistency
from domain.model.scorer import Forest
from domain.training.steps import Checked, Promoted
from training_job.errors import AwsUnavailable, NothingToPromote
from training_job.inputs import ExecutionInput, State
from training_job.promotion.check import check
from training_job.promotion.choice import OVERTAKEN, Choice
from training_job.promotion.promote import promote

POINTER, ENTRY, ALIAS = 1, 2, 3
"""The writes of a promotion over a complete history, in their order."""


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class Writes:
    """Counts the writes of one process; `hooks` run before the write of that number, or after."""

    before: dict[int, Callable[[], None]] = field(default_factory=dict)
    after: dict[int, Callable[[], None]] = field(default_factory=dict)
    count: int = 0

    def around(self, write: Callable[[], Any]) -> Any:
        self.count += 1
        number = self.count
        self.before.pop(number, lambda: None)()
        result = write()
        self.after.pop(number, lambda: None)()
        return result


class WatchedBucket(Bucket):
    """A bucket whose conditional writes are counted."""

    __slots__ = ("writes",)
    writes: Writes

    @classmethod
    def of(cls, bucket: Bucket, writes: Writes) -> "WatchedBucket":
        watched = cls(bucket.client, bucket.name)
        object.__setattr__(watched, "writes", writes)
        return watched

    def put_if(self, key: str, data: bytes, **options: Any) -> str:
        written: str = self.writes.around(lambda: Bucket.put_if(self, key, data, **options))
        return written


class Refusing(Bucket):
    """A bucket that answers 409 to the pointer's write, as S3 may while another request runs."""

    def put_if(self, key: str, data: bytes, **options: Any) -> str:
        if key == keys.CHAMPION:
            raise Conflict(key)
        return Bucket.put_if(self, key, data, **options)


class AnswerLost(Bucket):
    """A bucket that writes the pointer, though its client is told that it lost."""

    def put_if(self, key: str, data: bytes, **options: Any) -> str:
        etag = Bucket.put_if(self, key, data, **options)
        if key == keys.CHAMPION:
            raise Conflict(key)
        return etag


@dataclass
class Registry:
    """MLflow's registry, shared by all processes."""

    hashes: dict[str, str] = field(default_factory=dict)
    alias: str | None = None
    down: bool = False


@dataclass
class RegistryClient:
    """One process's view of the registry."""

    registry: Registry
    writes: Writes

    def champion(self) -> str | None:
        self._reach()
        return self.registry.alias

    def sha256_of(self, number: str) -> str | None:
        self._reach()
        return self.registry.hashes.get(number)

    def set_champion(self, number: str) -> None:
        def write() -> None:
            self._reach()
            self.registry.alias = number

        self.writes.around(write)

    def _reach(self) -> None:
        if self.registry.down:
            raise RegistryUnavailable("MLflow did not do what was asked.")


@dataclass
class World:
    """Three versions in a bucket and a registry; the first one serves."""

    bucket: Bucket
    registry: Registry
    models: dict[int, ModelRef]

    def etag(self) -> str | None:
        stored = self.bucket.get(keys.CHAMPION)
        return stored.etag if stored else None

    def champion(self) -> Champion:
        stored = self.bucket.get(keys.CHAMPION)
        assert stored is not None
        return Champion.from_json(stored.data)

    def promote(
        self, number: int, execution: str, *, etag: str | None, writes: Writes | None = None
    ) -> Promoted:
        model, reasons = self.models[number], (f"{execution} is better.",)
        return self.make(Choice(lambda: (model, etag), "promote", reasons), execution, writes)

    def ask(self, execution: str, *, writes: Writes | None = None, **asked: Any) -> Promoted:
        """Promote as an execution with that input does."""
        state = State(ExecutionInput(**asked), {})
        return self.make(Choice.of(self.bucket, state), execution, writes)

    def make(
        self,
        choice: Choice,
        execution: str,
        writes: Writes | None,
        started_at: int | None = None,
    ) -> Promoted:
        writes = writes or Writes()
        client: Any = RegistryClient(self.registry, writes)
        return promote(
            models=WatchedBucket.of(self.bucket, writes),
            tracking=client,
            choice=choice,
            execution=execution,
            say=lambda _: None,
            started_at=started_at,
        )

    def check(self) -> Checked:
        client: Any = RegistryClient(self.registry, Writes())
        return check(models=self.bucket, tracking=client, say=lambda _: None)

    def history(self) -> list[str]:
        entries = [keys.parse_ledger_entry(e.key) for e in self.bucket.list(keys.LEDGER)]
        return [version for _, _, version in entries]


@pytest.fixture
def world(moto_bucket: Bucket, contract: Contract) -> World:
    made = World(moto_bucket, Registry(), {})
    for number in (1, 2, 3):
        leaf = {"feature": [-1], "threshold": [number / 10], "left": [0], "right": [0]}
        forest = Forest.from_dict(
            {"base_margin": 0.0, "roots": [0], **leaf, "default_left": [0], "cover": [1.0]}, 15
        )
        content = Bundle(contract, forest, 0.5).to_bytes()
        model = made.models[number] = ModelRef.of(number, digest(content))
        moto_bucket.put(model.bundle_key, content)
        moto_bucket.put(keys.card(model.version), b"{}")
        moto_bucket.put(keys.reference(model.version), b"")
        made.registry.hashes[str(number)] = model.sha256
    made.promote(1, "one", etag=None)
    assert made.check().consistent
    return made


def _killing(number: int, *, after: bool) -> Writes:
    def kill() -> None:
        raise Killed

    return Writes(after={number: kill}) if after else Writes(before={number: kill})


KILLS = [(number, after) for number in (POINTER, ENTRY, ALIAS) for after in (False, True)]


def test_a_promotion_writes_pointer_entry_and_alias(world: World) -> None:
    writes = Writes()
    world.promote(2, "two", etag=world.etag(), writes=writes)
    assert writes.count >= ALIAS
    assert world.check().consistent


@pytest.mark.parametrize(("number", "after"), KILLS)
def test_a_retried_state_completes_what_a_killed_one_began(
    world: World, number: int, after: bool
) -> None:
    seen = world.etag()
    with pytest.raises(Killed):
        world.promote(2, "two", etag=seen, writes=_killing(_numbered(number), after=after))
    result = world.promote(2, "two", etag=seen)
    assert (True, 2, "done") == (result.promoted, result.seq, result.registry)
    assert [world.models[n].version for n in (1, 2)] == world.history()
    assert () == world.check().problems


@pytest.mark.parametrize(("number", "after"), KILLS)
def test_the_next_promoter_completes_what_a_killed_one_began(
    world: World, number: int, after: bool
) -> None:
    with pytest.raises(Killed):
        world.promote(2, "two", etag=world.etag(), writes=_killing(_numbered(number), after=after))
    began = world.champion().execution == "two"
    result = world.promote(3, "three", etag=world.etag())
    assert result.promoted
    expected = (1, 2, 3) if began else (1, 3)
    assert [world.models[n].version for n in expected] == world.history()
    assert () == world.check().problems


def test_a_promotion_whose_answer_got_lost_is_a_promotion(world: World) -> None:
    seen, model = world.etag(), world.models[2]
    client: Any = RegistryClient(world.registry, Writes())
    result = promote(
        models=AnswerLost(world.bucket.client, world.bucket.name),
        tracking=client,
        choice=Choice(lambda: (model, seen), "promote", ("better",)),
        execution="two",
        say=lambda _: None,
    )
    assert (True, 2, "done") == (result.promoted, result.seq, result.registry)
    assert [world.models[n].version for n in (1, 2)] == world.history()
    assert () == world.check().problems


def test_a_write_that_is_refused_for_nobodys_sake_is_worth_a_retry(world: World) -> None:
    seen, model = world.etag(), world.models[2]
    client: Any = RegistryClient(world.registry, Writes())
    with pytest.raises(AwsUnavailable):
        promote(
            models=Refusing(world.bucket.client, world.bucket.name),
            tracking=client,
            choice=Choice(lambda: (model, seen), "promote", ("better",)),
            execution="two",
            say=lambda _: None,
        )
    assert world.models[1].version == world.champion().version


@pytest.mark.parametrize("asked", [{"rollback": True}, {"promote_version": 1}])
def test_a_repeated_rollback_leaves_alone_who_was_promoted_since(
    world: World, asked: dict[str, Any]
) -> None:
    if "promote_version" in asked:
        asked = {"promote_version": world.models[1].version}
    world.promote(2, "two", etag=world.etag())
    with pytest.raises(Killed):
        world.ask("back", **asked, writes=_killing(_numbered(POINTER), after=True))
    world.promote(3, "three", etag=world.etag())
    result = world.ask("back", **asked)
    expected = (True, 3, world.models[1].version, world.models[3].version)
    assert expected == (
        result.promoted,
        result.seq,
        result.version,
        result.champion_version,
    )
    assert [world.models[n].version for n in (1, 2, 1, 3)] == world.history()
    assert "3" == world.registry.alias
    assert () == world.check().problems


def test_a_repeated_promotion_that_was_replaced_since_is_still_called_one(world: World) -> None:
    seen = world.etag()
    with pytest.raises(Killed):
        world.promote(2, "two", etag=seen, writes=_killing(_numbered(POINTER), after=True))
    world.promote(3, "three", etag=world.etag())
    result = world.promote(2, "two", etag=seen)
    assert (True, 2) == (result.promoted, result.seq)
    assert world.models[3].version == world.champion().version


def test_back_to_a_version_that_has_served_is_booked_as_a_rollback(world: World) -> None:
    world.ask("by name", promote_version=world.models[2].version)
    world.ask("back", promote_version=world.models[1].version)
    entries = [keys.parse_ledger_entry(e.key) for e in world.bucket.list(keys.LEDGER)]
    assert ["promote", "promote", "rollback"] == [action for _, action, _ in entries]


@pytest.mark.parametrize("registered", [None, "0" * 64])
def test_a_registry_that_has_another_model_under_the_number_is_left_alone(
    world: World, registered: str | None
) -> None:
    """As after the registry's database was rebuilt: its numbers start at 1 again."""
    world.registry.hashes.pop("2")
    if registered:
        world.registry.hashes["2"] = registered
    result = world.promote(2, "two", etag=world.etag())
    assert (True, "unknown_version") == (result.promoted, result.registry)
    assert "1" == world.registry.alias
    (problem,) = world.check().problems
    assert "version 2 is not the model that serves" in problem


@pytest.mark.parametrize("number", [POINTER, ENTRY, ALIAS])
def test_of_two_promoters_at_once_one_wins_or_both_follow_each_other(
    world: World, number: int
) -> None:
    """The other promoter does all its work just before this one's write of that number."""
    seen = world.etag()
    others: list[Promoted] = []

    def other() -> None:
        etag = seen if number == POINTER else world.etag()
        others.append(world.promote(3, "three", etag=etag))

    result = world.promote(2, "two", etag=seen, writes=Writes(before={_numbered(number): other}))
    assert others[0].promoted
    assert result.promoted == (number != POINTER)
    expected = (1, 3) if number == POINTER else (1, 2, 3)
    assert [world.models[n].version for n in expected] == world.history()
    assert world.models[3].version == world.champion().version
    assert () == world.check().problems


def test_with_mlflow_down_the_promotion_counts_and_the_check_says_what_is_pending(
    world: World,
) -> None:
    world.registry.down = True
    result = world.promote(2, "two", etag=world.etag())
    assert (True, "pending") == (result.promoted, result.registry)
    (problem,) = world.check().problems
    assert problem.startswith("The registry can't be compared")
    world.registry.down = False
    (problem,) = world.check().problems
    assert problem.startswith("The registry's alias names 1, the pointer 2")
    assert "done" == world.promote(2, "two", etag=None).registry
    assert world.check().consistent


def test_a_repeated_rollback_ignores_that_its_first_attempt_left_a_damaged_champion(
    world: World,
) -> None:
    world.promote(2, "two", etag=world.etag())
    world.bucket.put(world.models[2].bundle_key, b"damaged")

    with pytest.raises(Killed):
        world.ask("back", rollback=True, writes=_killing(_numbered(POINTER), after=True))
    result = world.ask("back", rollback=True)
    assert (True, world.models[1].version) == (result.promoted, result.version)
    with pytest.raises(NothingToPromote, match="can't be served"):
        world.promote(2, "again", etag=world.etag())


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda w: w.bucket.delete(keys.CHAMPION), "there is no champion pointer"),
        (lambda w: w.bucket.put(keys.CHAMPION, b"{"), "pointer can't be decoded"),
        (lambda w: w.bucket.put(w.models[2].bundle_key, b"x"), "can't be served"),
        (lambda w: w.bucket.delete(w.models[1].bundle_key), "The bundle is missing"),
        (lambda w: w.bucket.delete(keys.card(w.models[2].version)), "card.json is missing"),
        (lambda w: w.bucket.delete(_entry(w, 1)), "lacks seq 1"),
        (lambda w: w.bucket.delete(_entry(w, 2)), "lacks seq 2. The next promotion writes it"),
        (lambda w: w.bucket.put(_entry(w, 1), b"[]"), "can't be decoded"),
        (lambda w: setattr(w.registry, "alias", None), "alias names nothing, the pointer 2"),
        (lambda w: w.registry.hashes.update({"2": "0" * 64}), "is not the model that serves"),
        (lambda w: w.registry.hashes.pop("2"), "is not the model that serves"),
    ],
)
def test_the_check_names_what_does_not_agree_and_keeps_it_for_status(
    world: World, damage: Callable[[World], Any], problem: str
) -> None:
    world.promote(2, "two", etag=world.etag())
    assert world.check().consistent
    damage(world)
    result = world.check()
    assert not result.consistent
    assert problem in " ".join(result.problems)
    kept = world.bucket.get(keys.CHECK)
    assert kept is not None
    assert result.problems == Consistency.from_json(kept.data).problems


def _entry(world: World, number: int) -> str:
    return keys.ledger_entry(number, "promote", world.models[number].version)


def _numbered(number: int) -> int:
    """The number of that write in a process that first completes the previous entry."""
    return number + 1


def test_two_rollbacks_at_once_go_back_once(world: World) -> None:
    """Both were asked for when seq 2 served; the second one comes when the first is through."""
    world.promote(2, "two", etag=world.etag())
    version = world.models[1].version
    first = world.ask("first", promote_version=version, replaces_seq=2)
    second = world.ask("second", promote_version=version, replaces_seq=2)
    assert (True, False) == (first.promoted, second.promoted)
    assert ((OVERTAKEN,), 3) == (second.reasons, world.champion().seq)
    assert first == world.ask("first", promote_version=version, replaces_seq=2)


@pytest.mark.parametrize("asked", [{"rollback": True}, {"promote_version": 1}])
def test_of_two_rollbacks_in_the_same_moment_the_slower_one_changes_nothing(
    world: World, asked: dict[str, Any]
) -> None:
    world.promote(2, "two", etag=world.etag())
    if "promote_version" in asked:
        asked = {"promote_version": world.models[1].version}

    def other() -> None:
        world.ask("faster", **asked)

    writes = Writes(before={_numbered(POINTER): other})
    slower = world.ask("slower", **asked, writes=writes)
    assert (False, (OVERTAKEN,), 3) == (slower.promoted, slower.reasons, world.champion().seq)
    assert [] == list(world.check().problems)


def test_a_long_ledger_is_listed_and_not_read(world: World) -> None:
    two, three = world.models[2], world.models[3]
    for seq in range(2, 102):
        entry = LedgerEntry.of(_champion_after(world, seq), ("Long ago.",))
        world.bucket.put(entry.key, entry.to_json())
    world.bucket.put(keys.CHAMPION, _champion_after(world, 101).to_json())
    requests: list[str] = []
    world.bucket.client.meta.events.register(
        "before-call.s3", lambda model, **_: requests.append(model.name)
    )
    now = 1000 * int(time.time())
    choice = Choice(lambda: (three, world.etag()), "promote", ("better",))
    result = world.make(choice, "new", None, started_at=now + 2 * times.CLOCK_SKEW_MS)
    assert (True, 102, three.version) == (result.promoted, result.seq, result.version)
    assert len(requests) <= 15
    assert two.version == world.champion().previous.version  # type: ignore[union-attr]


def _champion_after(world: World, seq: int) -> Champion:
    model = before = world.models[2]
    return Champion(
        seq=seq,
        version=model.version,
        bundle_key=model.bundle_key,
        sha256=model.sha256,
        previous=before,
        action="rollback",
        execution=f"old-{seq}",
        promoted_at=1,
    )
