"""Each fault at random calls of a story: nothing is wrong, lost or doubled in the end."""

import os
import random

import pytest

from tests.faults.invariants import Allowed
from tests.faults.proxy import Fault, Kind, Plan
from tests.faults.stage import Stage

SEEDS = int(os.environ.get("FAULT_SEEDS", "5"))
QUICK_SEEDS = 1
"""Seeds of each fault in `make test`; `make test-slow` runs the others, FAULT_SEEDS=20 more."""
DUE_MAILS = 2
"""One opens the incident, one ends it."""

_LOST: tuple[Kind, ...] = ("drop after", "hang", "fail after")
"""The work is done, and the answer is lost."""


def _at(operation: str, *kinds: Kind, refusals: tuple[tuple[int, str], ...] = ()) -> list[Fault]:
    faults = [Fault(operation=operation, kind=kind) for kind in kinds]
    return faults + [Fault(operation=operation, kind="refuse", refusal=r) for r in refusals]


FAULTS = [
    *_at(
        "s3 get",
        *("delay", "hang", "drop before", "drop after", "truncate", "alter", "duplicate"),
        refusals=((500, "InternalError"), (503, "SlowDown")),
    ),
    *_at(
        "s3 put",
        *("delay", "drop before", "duplicate", *_LOST),
        refusals=((500, "InternalError"), (503, "SlowDown"), (409, "ConditionalRequestConflict")),
    ),
    *_at("s3 list", "drop before", "truncate", refusals=((503, "SlowDown"),)),
    *_at(
        "ses post",
        *("delay", "drop before", *_LOST),
        refusals=((429, "TooManyRequestsException"),),
    ),
    *_at("sns post", "drop before", "drop after", refusals=((429, "Throttling"),)),
    *_at("events PutEvents", "drop after", "duplicate", refusals=((500, "InternalFailure"),)),
    *_at(
        "states StartExecution",
        *("drop before", "duplicate", *_LOST),
        refusals=((400, "ThrottlingException"),),
    ),
    *_at(
        "firehose PutRecordBatch",
        *("drop before", "duplicate", *_LOST),
        refusals=((500, "ServiceUnavailableException"),),
    ),
]
SEEDED = [
    pytest.param(
        fault, seed, id=f"{fault.name}, seed {seed}", marks=() if seed < QUICK_SEEDS else slow
    )
    for slow in [pytest.mark.slow]
    for fault in FAULTS
    for seed in range(SEEDS)
]


def _plan(fault: Fault, seed: int, calls: list[str]) -> Plan:
    """One or two calls in a row, at one or several places of the story.

    A call that hangs costs seconds, so it hangs at one place.
    """
    rng = random.Random(f"{fault.name} {seed}")
    total = calls.count(fault.operation)
    numbers: set[int] = set()
    places = 1 if fault.kind == "hang" else rng.randint(1, min(4, total))
    for _ in range(places):
        first = rng.randint(1, total)
        numbers |= set(range(first, first + rng.randint(1, 2)))
    return Plan(fault, frozenset(numbers))


@pytest.fixture(scope="session")
def calls(stage: Stage) -> list[str]:
    """The operations of a story without a fault."""
    story = stage.story()
    stage.proxy.calls.clear()
    story.tell()
    made = list(stage.proxy.calls)
    story.end()
    assert [] == stage.find_problems(story, mails=DUE_MAILS)
    return made


def test_there_are_at_least_32_faults_of_different_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 32


@pytest.mark.parametrize("operation", sorted({fault.operation for fault in FAULTS}))
def test_a_story_calls_every_operation_that_is_disturbed(calls: list[str], operation: str) -> None:
    assert operation in calls


@pytest.mark.parametrize(("fault", "seed"), SEEDED)
def test_nothing_is_wrong_lost_or_doubled(
    fault: Fault,
    seed: int,
    calls: list[str],
    stage: Stage,
) -> None:
    story = stage.story()
    plan = stage.proxy.plan = _plan(fault, seed, calls)
    try:
        story.tell()
    finally:
        stage.proxy.plan = None
    story.end()
    assert plan.met > 0
    lost_mail = fault.operation == "ses post" and fault.kind in (*_LOST, "duplicate")
    allowed = Allowed(mails=1 + plan.met if lost_mail else 1)
    assert [] == stage.find_problems(story, mails=DUE_MAILS, allowed=allowed)
