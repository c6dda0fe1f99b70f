"""Every writer is killed before and after each of its writes, and then repeated: one story is left.

Nothing here names a write. A writer is run once to count its writes; then it is killed at each of
them. A new write in a writer is covered by itself, and a module that writes but belongs to no
writer here fails a test.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from domain import keys
from domain.drift.drift import Outcome
from tests.faults.invariants import Allowed
from tests.faults.site import BOTO3, Clients
from tests.faults.stage import Stage
from tests.faults.story import REQUEST, Story
from tests.repository import ROOT
from tests.unit.monitoring import drift_summary

READS = ("Get", "Head", "List", "Describe")
PRODUCT = ("adapters", "tabular", "training_job", "monitoring_job", "lambdas")


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class Switch:
    """Counts the writes of the clients, and kills before or after the write of that number."""

    kill_at: int | None = None
    after: bool = False
    writes: list[str] = field(default_factory=list)

    def before_call(self, model: Any, **_: object) -> None:
        if model.name.startswith(READS):
            return
        self.writes.append(model.name)
        if len(self.writes) == self.kill_at and not self.after:
            raise Killed

    def after_call(self, model: Any, **_: object) -> None:
        if not model.name.startswith(READS) and len(self.writes) == self.kill_at and self.after:
            raise Killed


@contextmanager
def switched(clients: Clients, switch: Switch) -> Iterator[None]:
    """Let the switch see every call of the clients."""
    all_clients = [getattr(clients, name) for name in BOTO3]
    for client in all_clients:
        client.meta.events.register("before-call", switch.before_call, "before")
        client.meta.events.register("after-call", switch.after_call, "after")
    try:
        yield
    finally:
        for client in all_clients:
            client.meta.events.unregister("before-call", switch.before_call, "before")
            client.meta.events.unregister("after-call", switch.after_call, "after")


@dataclass(frozen=True)
class Writer:
    """A part of the loop that writes. `prepare` makes what it starts from, without a fault.

    `mails`: how many are due when it is done.
    """

    run: Callable[[Story], None]
    prepare: Callable[[Story], None] = lambda _: None
    mails: int = 0


def _promote_two(story: Story) -> None:
    story.promote_version(1, replaces=0)
    story.promote_version(2, replaces=1)


def _lose_pointer(story: Story) -> None:
    _promote_two(story)
    story.bucket.delete(keys.CHAMPION)


def _open_incident(story: Story) -> None:
    story.announce(drift_summary(Outcome.DATA_DRIFT, "age", day=0), "monday")


def _calm_down(story: Story) -> None:
    _open_incident(story)
    story.announce(drift_summary(Outcome.STABLE, day=1), "tuesday")


def _predict(story: Story) -> None:
    story.promote_version(1, replaces=0)
    story.predict()


def _label(story: Story) -> None:
    _predict(story)
    story.label()


WRITERS: dict[str, Writer] = {
    "first promotion": Writer(lambda s: s.promote_version(1, replaces=0)),
    "promotion": Writer(
        lambda s: s.promote_version(2, replaces=1), lambda s: s.promote_version(1, replaces=0)
    ),
    "rollback": Writer(lambda s: s.roll_back(to=1, replaces=2), _promote_two),
    "repair": Writer(lambda s: s.repair(), _lose_pointer),
    "alert": Writer(_open_incident, mails=1),
    "recovery": Writer(
        lambda s: s.announce(drift_summary(Outcome.STABLE, day=2), "wednesday"),
        _calm_down,
        mails=2,
    ),
    "run now": Writer(lambda s: s.deliver(REQUEST), lambda s: s.ask(REQUEST)),
    "predictions": Writer(lambda s: s.predict(), lambda s: s.promote_version(1, replaces=0)),
    "labels": Writer(lambda s: s.label(), _predict),
    "drift run": Writer(lambda s: s.drift(0), _label, mails=1),
    "retraining": Writer(lambda s: s.retrain()),
    "proposal": Writer(lambda s: s.propose(), mails=2),
    "lock": Writer(lambda s: s.take_lock("one")),
}


QUICK = sorted(set(WRITERS) - {"drift run"})
"""The drift run makes the writes of an alert, and takes as long as all others."""


@pytest.mark.parametrize("name", [*QUICK, pytest.param("drift run", marks=pytest.mark.slow)])
def test_a_writer_that_is_killed_at_any_write_is_completed_by_its_repetition(
    stage: Stage, name: str
) -> None:
    writer = WRITERS[name]
    counted = _run(stage, writer, Switch())
    assert [] != counted.writes
    for number, operation in enumerate(counted.writes, start=1):
        for after in (False, True):
            switch = Switch(kill_at=number, after=after)
            problems = _kill_and_repeat(stage, writer, switch)
            where = f"{'after' if after else 'before'} write {number} ({operation})"
            assert [] == problems, where


def _run(stage: Stage, writer: Writer, switch: Switch) -> Switch:
    story = stage.direct_story()
    story.mails = writer.mails
    writer.prepare(story)
    with switched(stage.direct, switch):
        writer.run(story)
    assert [] == stage.find_problems(story)
    return switch


def _kill_and_repeat(stage: Stage, writer: Writer, switch: Switch) -> list[str]:
    story = stage.direct_story()
    story.mails = writer.mails
    writer.prepare(story)
    with switched(stage.direct, switch), pytest.raises(Killed):
        writer.run(story)
    writer.run(story)
    done = switch.writes if switch.after else switch.writes[:-1]
    between_sending_and_noting = done[-1:] == ["SendEmail"]
    allowed = Allowed(mails=2 if between_sending_and_noting else 1)
    return stage.find_problems(story, allowed=allowed)


EXEMPT = {
    "adapters/acknowledgements.py": "one object, written whole; the first one stays",
    "adapters/s3.py": "the bucket itself",
    "adapters/model_store.py": "called by promotions",
    "lambdas/dashboard/run_now.py": "one write, of a request that nobody was promised yet",
    "lambdas/inspection/inspection.py": "one object, written whole, before the answer",
    "monitoring_job/probation/examine.py": "tests/unit/monitoring_job/probation kills each write",
    "tabular/draws/store.py": "a draw that lacks one of its two objects is read by nobody",
    "training_job/compaction/compact.py": "tests/unit/training_job/compaction kills each write",
    "training_job/dataset/manifest.py": "objects named by their content; a repetition writes all",
    "training_job/dataset/tables.py": "objects named by their content; a repetition writes all",
    "training_job/erasure/journal.py": "tests/unit/training_job/erasure kills before each write",
    "training_job/erasure/marks.py": "tests/unit/training_job/erasure kills before each write",
    "training_job/evaluation/release.py": "tests/unit/training_job/evaluation kills each write",
    "training_job/promotion/check.py": "one object, written whole",
    "training_job/scoring/score.py": "tests/unit/training_job/scoring kills it between its parts",
    "training_job/scoring/score_plan.py": "tests/unit/training_job/scoring kills it",
    "training_job/search/tune.py": "a copy of a journal, which the next trial writes again",
}
"""Modules that write, and why no writer here runs them."""
COVERED = {
    "adapters/streams.py",
    "lambdas/decisions/notify.py",
    "lambdas/drift/requested.py",
    "lambdas/retrain_guard/retrain.py",
    "monitoring_job/alerts/alerting.py",
    "monitoring_job/publishing.py",
    "training_job/promotion/lock.py",
    "training_job/promotion/promote.py",
    "training_job/promotion/repair.py",
}


def _writes(path: Path) -> bool:
    """Whether a module calls a writing method of a bucket."""
    names = {"put", "put_if", "create", "replace_pointer", "upload"}
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr in names or (node.func.attr == "update" and len(node.args) == 2))
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_every_module_that_writes_is_killed_here_or_says_why_not() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        if _writes(path)
    }
    assert COVERED | set(EXEMPT) == found
