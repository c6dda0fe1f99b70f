"""Each fault at random calls of a story: nothing is wrong, lost or doubled in the end."""

import os
import random

import pytest

from tests.faults.invariants import Allowed
from tests.faults.proxy import Fault, Kind, Plan
from tests.faults.stage import Stage
from tests.faults.story import CHAPTERS, Chapter

SEEDS = int(os.environ.get("FAULT_SEEDS", "5"))
QUICK_SEEDS = 1
"""Seeds of each fault in `make test`; `make test-slow` runs the others, FAULT_SEEDS=20 more."""

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
    *_at("mlflow get", "drop before", "hang", "fail after", refusals=((503, "Unavailable"),)),
    *_at("mlflow post", "drop before", *_LOST, refusals=((500, "InternalError"),)),
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
    for seed in range(SEEDS)
    for fault in FAULTS
]


def _plan(fault: Fault, rng: random.Random, total: int) -> Plan:
    """One or two calls in a row, at one or several places among `total` calls of the operation.

    A call that hangs costs seconds, so it hangs at one place.
    """
    numbers: set[int] = set()
    places = 1 if fault.kind == "hang" else rng.randint(1, min(4, total))
    for _ in range(places):
        first = rng.randint(1, total)
        numbers |= set(range(first, first + rng.randint(1, 2)))
    return Plan(fault, frozenset(numbers))


@pytest.fixture(scope="package")
def calls(stage: Stage) -> dict[Chapter, list[str]]:
    """The operations of each chapter without a fault."""
    story, made = stage.story(), {}
    for chapter in CHAPTERS:
        stage.faults.calls.clear()
        story.tell(chapter)
        made[chapter] = list(stage.faults.calls)
    story.end()
    assert [] == stage.find_problems(story)
    return made


def test_there_are_at_least_32_faults_of_different_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 32


@pytest.mark.parametrize("operation", sorted({fault.operation for fault in FAULTS}))
def test_a_story_calls_every_operation_that_is_disturbed(
    calls: dict[Chapter, list[str]], operation: str
) -> None:
    assert operation in {made for chapter in calls.values() for made in chapter}


@pytest.mark.parametrize(("fault", "seed"), SEEDED)
def test_nothing_is_wrong_lost_or_doubled(
    fault: Fault,
    seed: int,
    calls: dict[Chapter, list[str]],
    stage: Stage,
) -> None:
    """The first seed tells the whole story, every other one a chapter that makes such calls."""
    story, rng = stage.story(), random.Random(f"{fault.name} {seed}")
    able = [chapter for chapter in CHAPTERS if fault.operation in calls[chapter]]
    chapters = CHAPTERS if seed == 0 else (rng.choice(able),)
    if seed:
        story.prepare(chapters[0])
    total = sum(calls[chapter].count(fault.operation) for chapter in chapters)
    plan = stage.faults.plan = _plan(fault, rng, total)
    try:
        story.tell(*chapters)
    finally:
        stage.faults.plan = None
    story.end()
    assert plan.met > 0
    lost_mail = fault.operation == "ses post" and fault.kind in (*_LOST, "duplicate")
    allowed = Allowed(mails=1 + plan.met if lost_mail else 1)
    assert [] == stage.find_problems(story, allowed=allowed)
