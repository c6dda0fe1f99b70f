"""Promotion: pointer, ledger and registry agree in the end, whatever happens in between."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.registry import RegistryUnavailable
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.scorer import Forest
from domain.training.steps import Promoted
from training_job.errors import NothingToPromote, TrainingInProgress
from training_job.promotion import lock
from training_job.promotion.choice import Choice, find_named, find_previous
from training_job.promotion.promote import align_registry, promote


@dataclass
class FakeTracking:
    """The registry's alias, or a server that is down; it knows the models of one bucket."""

    models: Bucket
    alias: str | None = None
    down: bool = False
    calls: list[str] = field(default_factory=list)

    def champion(self) -> str | None:
        if self.down:
            raise RegistryUnavailable
        return self.alias

    def sha256_of(self, number: str) -> str | None:
        if self.down:
            raise RegistryUnavailable
        bundles = (e.key for e in self.models.list(f"{keys.BUNDLES}{number}-"))
        stored = next((found for key in bundles if (found := self.models.get(key))), None)
        return digest(stored.data) if stored else None

    def set_champion(self, number: str) -> None:
        self.alias = number
        self.calls.append(number)


class AnswerLost(Bucket):
    """A bucket whose first answer gets lost, so that boto3's repetition meets the first write."""

    def _put(self, *arguments: Any, **conditions: Any) -> str:
        Bucket._put(self, *arguments, **conditions)
        return Bucket._put(self, *arguments, **conditions)


def _store(models: Bucket, contract: Contract, number: int) -> ModelRef:
    """Put a bundle of one leaf there, different for each number."""
    leaf = {"feature": [-1], "threshold": [number / 10], "left": [0], "right": [0]}
    forest = Forest.from_dict(
        {"base_margin": 0.0, "roots": [0], **leaf, "default_left": [0], "cover": [1.0]}, 15
    )
    content = Bundle(contract, forest, 0.5).to_bytes()
    model = ModelRef.of(number, digest(content))
    models.put(model.bundle_key, content)
    return model


def _pointer(models: Bucket) -> tuple[Champion | None, str | None]:
    stored = models.get(keys.CHAMPION)
    return (Champion.from_json(stored.data), stored.etag) if stored else (None, None)


def _promote(
    models: Bucket, model: ModelRef, tracking: FakeTracking, execution: str, **options: Any
) -> Promoted:
    etag = options.get("etag", _pointer(models)[1])
    return promote(
        models=models,
        tracking=tracking,  # type: ignore[arg-type]  # a fake
        choice=Choice(lambda: (model, etag), options.get("action", "promote"), ("better",)),
        execution=execution,
        say=lambda _: None,
    )


def _ledger(models: Bucket) -> list[tuple[int, str, str]]:
    return [keys.parse_ledger_entry(entry.key) for entry in models.list(keys.LEDGER)]


def test_the_first_model_becomes_champion_everywhere(
    moto_bucket: Bucket, contract: Contract
) -> None:
    tracking, model = FakeTracking(moto_bucket), _store(moto_bucket, contract, 1)
    result = _promote(moto_bucket, model, tracking, "one")
    champion, _ = _pointer(moto_bucket)
    assert champion is not None
    assert (True, 1, "done") == (result.promoted, result.seq, result.registry)
    assert (model, None) == (champion.model, champion.previous)
    assert [(1, "promote", model.version)] == _ledger(moto_bucket)
    assert "1" == tracking.alias


def test_a_repeated_promotion_changes_nothing(moto_bucket: Bucket, contract: Contract) -> None:
    tracking, model = FakeTracking(moto_bucket), _store(moto_bucket, contract, 1)
    first = _promote(moto_bucket, model, tracking, "one")
    pointer = moto_bucket.get(keys.CHAMPION)
    again = _promote(moto_bucket, model, tracking, "one", etag=None)
    assert first == again
    assert pointer == moto_bucket.get(keys.CHAMPION)
    assert 1 == len(_ledger(moto_bucket))


def test_a_champion_that_changed_since_the_evaluation_stays(
    moto_bucket: Bucket, contract: Contract
) -> None:
    tracking = FakeTracking(moto_bucket)
    first, second, third = (_store(moto_bucket, contract, n) for n in (1, 2, 3))
    _promote(moto_bucket, first, tracking, "one")
    seen = _pointer(moto_bucket)[1]
    _promote(moto_bucket, second, tracking, "two")
    result = _promote(moto_bucket, third, tracking, "three", etag=seen)
    champion, _ = _pointer(moto_bucket)
    assert not result.promoted
    assert "Another promotion was faster" in result.reasons[0]
    assert champion is not None
    assert second.version == champion.version


def test_the_next_promoter_writes_the_ledger_entry_that_a_dead_one_left_out(
    moto_bucket: Bucket, contract: Contract
) -> None:
    tracking = FakeTracking(moto_bucket)
    first, second = _store(moto_bucket, contract, 1), _store(moto_bucket, contract, 2)
    _promote(moto_bucket, first, tracking, "one")
    moto_bucket.delete(keys.ledger_entry(1, "promote", first.version))
    _promote(moto_bucket, second, tracking, "two")
    assert [(1, "promote", first.version), (2, "promote", second.version)] == _ledger(moto_bucket)


def test_a_rollback_goes_to_the_previous_model_and_back(
    moto_bucket: Bucket, contract: Contract
) -> None:
    tracking = FakeTracking(moto_bucket)
    first, second = _store(moto_bucket, contract, 1), _store(moto_bucket, contract, 2)
    _promote(moto_bucket, first, tracking, "one")
    _promote(moto_bucket, second, tracking, "two")
    target, etag = find_previous(moto_bucket)
    _promote(moto_bucket, target, tracking, "three", action="rollback", etag=etag)
    champion, _ = _pointer(moto_bucket)
    assert champion is not None
    assert (first, second, 3) == (champion.model, champion.previous, champion.seq)
    assert "1" == tracking.alias
    stored = moto_bucket.get(keys.ledger_entry(3, "rollback", first.version))
    assert stored is not None
    assert second.version == LedgerEntry.from_json(stored.data).previous_version


def test_a_rollback_works_with_mlflow_down_and_is_repaired_later(
    moto_bucket: Bucket, contract: Contract
) -> None:
    tracking = FakeTracking(moto_bucket, down=True)
    result = _promote(moto_bucket, _store(moto_bucket, contract, 1), tracking, "one")
    assert (True, "pending") == (result.promoted, result.registry)
    tracking.down = False
    assert "done" == align_registry(moto_bucket, tracking)  # type: ignore[arg-type]  # a fake
    assert "1" == tracking.alias


def test_a_damaged_bundle_is_never_promoted(moto_bucket: Bucket, contract: Contract) -> None:
    model = _store(moto_bucket, contract, 1)
    moto_bucket.put(model.bundle_key, b"damaged")
    with pytest.raises(NothingToPromote, match="can't be served"):
        _promote(moto_bucket, model, FakeTracking(moto_bucket), "one")
    with pytest.raises(NothingToPromote, match="match the hash in its"):
        find_named(moto_bucket, model.version)
    assert (None, None) == _pointer(moto_bucket)


def test_there_is_nothing_to_roll_back_to_at_first(moto_bucket: Bucket, contract: Contract) -> None:
    with pytest.raises(NothingToPromote, match="no champion yet"):
        find_previous(moto_bucket)
    _promote(moto_bucket, _store(moto_bucket, contract, 1), FakeTracking(moto_bucket), "one")
    with pytest.raises(NothingToPromote, match="nothing to roll back to"):
        find_previous(moto_bucket)
    with pytest.raises(NothingToPromote, match="promoted: The bundle is missing"):
        find_named(moto_bucket, "9-0a1b2c3d")


def test_only_one_execution_trains_at_a_time(moto_bucket: Bucket) -> None:
    lock.take(moto_bucket, "one", is_running=lambda _: True)
    lock.take(moto_bucket, "one", is_running=lambda _: True)
    with pytest.raises(TrainingInProgress, match="one is training"):
        lock.take(moto_bucket, "two", is_running=lambda _: True)
    lock.take(moto_bucket, "two", is_running=lambda _: False)
    stored = moto_bucket.get(keys.LOCK)
    assert stored is not None
    assert {"execution": "two"} == json.loads(stored.data)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_a_lock_that_cannot_be_read_is_nobodys(moto_bucket: Bucket, damaged: bytes) -> None:
    moto_bucket.put(keys.LOCK, damaged)
    lock.take(moto_bucket, "one", is_running=lambda _: True)
    with pytest.raises(TrainingInProgress, match="one is training"):
        lock.take(moto_bucket, "two", is_running=lambda _: True)


def test_a_lock_whose_writes_answer_got_lost_is_taken(moto_bucket: Bucket) -> None:
    lock.take(AnswerLost(moto_bucket.client, moto_bucket.name), "one", is_running=lambda _: True)
    with pytest.raises(TrainingInProgress, match="one is training"):
        lock.take(moto_bucket, "two", is_running=lambda _: True)


def test_of_two_trainings_at_once_the_lock_refuses_one(moto_bucket: Bucket) -> None:
    def other(_: str) -> bool:
        lock.take(moto_bucket, "two", is_running=lambda _: False)
        return False

    lock.take(moto_bucket, "over", is_running=lambda _: False)
    with pytest.raises(TrainingInProgress, match="another execution is training"):
        lock.take(moto_bucket, "one", is_running=other)
