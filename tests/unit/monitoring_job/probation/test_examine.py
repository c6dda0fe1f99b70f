"""A promotion on probation: its verdict, who is told, and the one rollback, whatever is killed."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from adapters.events import EventBus
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.mode import Mode
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.model.probation import Probation
from domain.model.scorer import Forest
from monitoring_job.probation.examine import Machine, Rules, examine
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.unit.fakes import client_error, make_sts
from tests.unit.labelled_log import END, START, label, send_labels
from tests.unit.monitoring import Channels, log, records, scored
from training_job.inputs import ExecutionInput

ROWS = 1_500
ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:circle-dev-training"


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class States:
    """Step Functions: the executions by name."""

    started: dict[str, Any] = field(default_factory=dict)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:
        assert ARN == stateMachineArn
        if name in self.started:
            raise client_error("ExecutionAlreadyExists")
        self.started[name] = json.loads(input)


def _bundle(contract: Contract, threshold: float) -> bytes:
    """A model that says yes from an HbA1c of `threshold` on."""
    column = contract.encoded_names.index("HbA1c_level")
    forest = Forest(
        0.0,
        (0,),
        (column, -1, -1),
        (threshold, -2.0, 2.0),
        (1, 0, 0),
        (2, 0, 0),
        (1, 1, 1),
        (2.0, 1.0, 1.0),
    )
    return Bundle(contract, forest, 0.5).to_bytes()


@dataclass
class World:
    """Version 1 served, version 2 does since `START`; what it answered is in the log."""

    bucket: Bucket
    contract: Contract
    states: States = field(default_factory=States)
    channels: Channels = field(default_factory=Channels)

    def __post_init__(self) -> None:
        self.models, current = [], None
        for number, threshold in ((1, 6.55), (2, 9.0)):
            data = _bundle(self.contract, threshold)
            model = ModelRef.of(number, digest(data))
            self.bucket.put(model.bundle_key, data)
            self.models.append(model)
            current = Champion.successor(
                current, model, action="promote", execution=f"e{number}", now=START
            )
            ModelStore(self.bucket).bucket.put(keys.CHAMPION, current.to_json())
        assert current is not None
        self.champion = current

    def serve(
        self, *, worse: bool, labels: Callable[[Any], Any] = lambda f: f["label"] >= 0
    ) -> None:
        """Log a day of version 2: worse answers, or those that version 1 would give."""
        frame = scored(ROWS, seed=5)
        bundle = Bundle.from_bytes(_bundle(self.contract, 6.55), self.models[0].sha256)
        feature = frame["hba1c_level"].to_numpy()
        frame["predicted"] = feature >= (8.6 if worse else 6.55)
        assert 0.5 == bundle.threshold
        version = self.models[1].version
        table = records(frame, self.contract, version=version, at=START)
        log(self.bucket, table)
        ids, truth = table["prediction_id"].to_pylist(), frame["label"].to_numpy()
        chosen = np.flatnonzero(np.asarray(labels(frame)))
        send_labels(self.bucket, [label(ids[n], bool(truth[n])) for n in chosen])

    def look(
        self,
        mode: Mode = "auto",
        now: int = END + times.DAY_MS,
        maturity: int = 0,
        bus: Any = None,
        bucket: Bucket | None = None,
    ) -> Probation | None:
        client: Any = bus or self.channels
        states: Any = self.states
        return examine(
            now=now,
            rules=Rules(mode=mode, days=28, label_maturity_days=maturity),
            models=Models(self.bucket),
            log_objects=LogObjects(self.bucket),
            reports=bucket or self.bucket,
            machine=Machine(states=states, sts=make_sts(), arn=ARN),
            bus=EventBus(client, "bus"),
        )

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(event["Detail"]) for event in self.channels.events]


@pytest.fixture
def world(moto_bucket: Bucket, contract: Contract) -> World:
    return World(moto_bucket, contract)


def test_a_worse_champion_is_taken_back_once_by_a_rollback_that_replaces_it_alone(
    world: World,
) -> None:
    world.serve(worse=True)
    found = world.look()
    assert found is not None
    assert "worse" == found.verdict
    assert found.lower > 0
    assert found == replace(world.look() or found, is_pending=True)
    ((name, document),) = world.states.started.items()
    asked = ExecutionInput.parse(document)
    assert "probation-2" == name
    assert (world.models[0].version, 2) == (asked.promote_version, asked.replaces_seq)
    assert asked.reason == found.reason
    assert asked.caller is not None
    assert "probation" == asked.caller.acts_as
    (told,) = world.told
    assert (True, "worse") == (told["rolls_back"], told["verdict"])


def test_a_suggestion_starts_nothing(world: World) -> None:
    world.serve(worse=True)
    world.look("suggest")
    assert {} == world.states.started
    (told,) = world.told
    assert not told["rolls_back"]


def test_off_looks_at_nothing(world: World) -> None:
    world.serve(worse=True)
    assert world.look("off") is None
    assert [] == list(world.bucket.list(keys.PROBATION))


def test_a_champion_that_answers_alike_passes_when_the_time_is_up(world: World) -> None:
    world.serve(worse=False)
    found = world.look()
    assert found is not None
    assert ("open", ROWS) == (found.verdict, found.labelled)
    found = world.look(now=START + 29 * times.DAY_MS)
    assert found is not None
    assert "passed" == found.verdict
    assert {} == world.states.started
    assert ["passed"] == [told["verdict"] for told in world.told]


def test_immature_labels_do_not_count(world: World) -> None:
    world.serve(worse=True)
    found = world.look(maturity=3)
    assert found is not None
    assert ("open", 0) == (found.verdict, found.labelled)


def test_labels_for_the_sick_alone_give_no_verdict_and_say_so(world: World) -> None:
    world.serve(worse=True, labels=lambda frame: frame["label"])
    found = world.look()
    assert found is not None
    assert "unknown" == found.verdict
    assert "labels are positive" in found.reason
    assert {} == world.states.started


def test_a_rollback_is_not_on_probation(world: World) -> None:
    world.serve(worse=True)
    back = Champion.successor(
        world.champion, world.models[0], action="rollback", execution="b", now=START
    )
    world.bucket.put(keys.CHAMPION, back.to_json())
    assert world.look() is None


class KillingBus:
    """EventBridge at which the process dies, before or after the event is put."""

    def __init__(self, channels: Channels, *, after: bool) -> None:
        self.channels, self.after = channels, after

    def put_events(self, **call: Any) -> Any:
        if self.after:
            self.channels.put_events(**call)
        raise Killed


class KillingStates(States):
    """Step Functions at which the process dies, before or after the execution is started."""

    after = False

    def start_execution(self, **call: Any) -> None:
        if self.after:
            States.start_execution(self, **call)
        raise Killed


class KillingBucket(Bucket):
    """A bucket at whose n-th write the process dies, before or after it."""

    __slots__ = ("kill_at", "kills_after", "writes")
    kill_at: int
    kills_after: bool

    def put_if(self, key: str, data: bytes, **options: Any) -> str:
        count = getattr(self, "writes", 0) + 1
        object.__setattr__(self, "writes", count)
        if count == self.kill_at and not self.kills_after:
            raise Killed
        etag = Bucket.put_if(self, key, data, **options)
        if count == self.kill_at:
            raise Killed
        return etag


def _killing_bucket(bucket: Bucket, number: int, *, after: bool) -> Bucket:
    made = KillingBucket(bucket.client, bucket.name)
    object.__setattr__(made, "kill_at", number)
    object.__setattr__(made, "kills_after", after)
    return made


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("where", ["verdict", "start", "event", "note"])
@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_look_that_is_killed_anywhere_is_completed_by_the_next_one(
    world: World, where: str, after: bool, rolled_back: bool
) -> None:
    """`rolled_back`: the champion has changed before the next look."""
    world.serve(worse=True)
    good = world.states
    with pytest.raises(Killed):
        if where == "start":
            bad = KillingStates(good.started)
            bad.after = after
            world.states = bad
            world.look()
        elif where == "event":
            world.look(bus=KillingBus(world.channels, after=after))
        else:
            number = 1 if where == "verdict" else 2
            world.look(bucket=_killing_bucket(world.bucket, number, after=after))
    world.states = good
    if rolled_back and good.started:
        back = Champion.successor(
            world.champion, world.models[0], action="rollback", execution="b", now=START
        )
        world.bucket.put(keys.CHAMPION, back.to_json())
    for _ in range(2):
        world.look()
    assert ["probation-2"] == list(good.started)
    assert 1 <= len(world.told) <= 2
    stored = world.bucket.get(keys.probation(2))
    assert stored is not None
    found = Probation.from_json(stored.data)
    assert ("worse", False) == (found.verdict, found.is_pending)
