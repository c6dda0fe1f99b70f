"""The loop learns from its own production, on a deployed stage; each test goes on where the one
before ended.

Labels for the sick alone give no verdict. Then outcomes change, labels tell, the guard trains, the
gate decides, and the incident closes. A training that does not help keeps the champion. A promotion
that proves wrong is taken back. At last models wait for an approval, and one is approved.
"""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from domain import keys
from domain.model.proposal import Proposal
from domain.training.steps import Evaluated, Prepared
from ops import proposals
from ops.local.processes import wait_until
from tests.e2e.conftest import ops, plant_version
from tests.e2e.learning_stage import (
    DAY,
    PATIENCE_SECONDS,
    SETTINGS,
    LearningStage,
    Mask,
    Scored,
    learning_stage,
    people,
)

pytestmark = pytest.mark.slow
LOGGED = 4_000
FEWER = 1_200


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearningStage]:
    with learning_stage(tmp_path_factory.mktemp("learning")) as found:
        yield found


def _choose(scored: Scored, seed: int) -> Mask:
    """Whose label comes: of those called positive three times as often, of women half as often."""
    chance = np.where(scored.answers, 3.0, 1.0)
    chance = chance * np.where(scored.people["gender"] == "Female", 0.5, 1.0)
    drawn = np.random.default_rng(seed).random(len(chance))
    return np.asarray(drawn < 0.6 * chance / chance.mean())


def test_labels_for_the_sick_alone_give_no_verdict_and_start_nothing(stage: LearningStage) -> None:
    scored = stage.score(people(FEWER, seed=2, changed=True))
    stage.label(scored, scored.people["diabetes"].to_numpy() == 1)
    found = stage.check(scored)
    assert "performance_drop" != found.outcome
    assert any("nothing can be known" in problem for problem in found.problems), found
    assert [] == stage.read_decisions()


def test_a_changed_concept_is_learned_from_selective_labels_and_the_incident_closes(
    stage: LearningStage,
) -> None:
    scored = stage.score(people(LOGGED, seed=3, changed=True))
    stage.label(scored, _choose(scored, 1))
    before, mails = stage.version, len(stage.read_subjects())
    assert "performance_drop" == stage.check(scored).outcome
    (subject,) = stage.read_subjects()[mails:]
    assert "Performance drop" in subject

    result = stage.follow(stage.await_decision(0))
    prepared, evaluated = result.step(Prepared), result.step(Evaluated)
    assert prepared is not None
    assert evaluated is not None
    assert prepared.rows[keys.RECENT] > 500
    assert any("Labels are selective" in sentence for sentence in prepared.left_out)
    assert evaluated.promote, evaluated.reasons
    assert "so they decide" in evaluated.reasons[0]
    assert evaluated.version == stage.version != before
    entry = stage.read_ledger()[-1]
    assert ("promote", "guard", before) == (entry.action, entry.actor, entry.previous_version)

    for number in range(2):
        following = stage.score(people(FEWER, seed=10 + number, changed=True))
        stage.label(following, _choose(following, number))
        assert "stable" == stage.check(following, later=number * DAY).outcome
    (*_, subject) = stage.read_subjects()
    assert "Recovered" in subject
    assert mails + 2 == len(stage.read_subjects())
    assert stage.version == evaluated.version


def test_a_training_that_does_not_help_keeps_the_champion_and_the_guard_stops_asking(
    stage: LearningStage,
) -> None:
    before, earlier = stage.version, len(stage.read_decisions())
    scored = stage.score(people(FEWER, seed=30, changed=True))
    coins = np.random.default_rng(30).random(FEWER) < 0.5  # no model can learn them
    stage.label(scored, np.ones(FEWER, bool), coins)
    assert "performance_drop" == stage.check(scored).outcome
    evaluated = stage.follow(stage.await_decision(earlier)).step(Evaluated)
    assert evaluated is not None
    assert not evaluated.promote, evaluated.reasons
    assert before == stage.version

    stage.label(scored, np.arange(FEWER) < 200, coins)  # new labels, so there is something to learn
    stage.set_variables("RetrainingGuard", COOL_DOWN_HOURS="1")
    refused = stage.detect("more coins")
    assert refused.execution is None
    assert "did not help" in refused.reason
    assert refused.reason in ops(stage.target.folder, "status").stdout.replace("\n", " ")
    stage.set_variables("RetrainingGuard", COOL_DOWN_HOURS="0")


def test_a_promotion_that_proves_wrong_is_taken_back_once_and_its_data_are_not_tried_again(
    stage: LearningStage,
) -> None:
    good = stage.version
    # Its threshold is so high that it misses most.
    worse = plant_version(stage.target, 99, lambda threshold: 1 - (1 - threshold) / 20)
    stage.run("rollback", "--to", worse.version)
    seq = stage.read_ledger()[-1].seq
    scored = stage.score(people(FEWER, seed=20, changed=True))
    stage.label(scored, np.ones(FEWER, bool))
    mails, earlier = len(stage.read_subjects()), len(stage.read_decisions())
    for _ in range(2):
        stage.check(scored)
        assert wait_until(lambda: stage.version == good, seconds=PATIENCE_SECONDS)
    entry = stage.read_ledger()[-1]
    assert ("rollback", "probation", seq + 1) == (entry.action, entry.actor, entry.seq)
    probation = stage.read_probation(seq)
    assert probation is not None
    assert ("worse", False) == (probation.verdict, probation.is_pending)
    assert (probation.reason,) == entry.reasons
    taken_back = f"Version {worse.version} is taken back"
    assert wait_until(lambda: taken_back in stage.read_subjects()[mails:], seconds=60)
    assert 1 == stage.read_subjects()[mails:].count(taken_back)

    # The labels that proved it wrong are new data, until a training has seen the last of them.
    stage.await_stored_labels()
    for decision in stage.read_decisions()[earlier:]:
        if decision.start:
            stage.follow(decision)
    decision = stage.detect("after the last label")
    if decision.start:
        stage.follow(decision)
        decision = stage.detect("after a training on all labels")
    assert not decision.start
    assert "There is no data newer than the last successful training" in decision.reason


def test_a_model_serves_if_it_is_approved_and_not_if_it_is_rejected(stage: LearningStage) -> None:
    worse = plant_version(stage.target, 98, lambda threshold: 1 - (1 - threshold) / 20)
    stage.run("rollback", "--to", worse.version)
    settings = stage.target.folder.parent / "approval.json"
    settings.write_text(json.dumps(SETTINGS | {"approval": True, "approval_hours": 1}))
    stage.run("up", "--settings", str(settings))
    arn = stage.target.client("sts").get_caller_identity()["Arn"]

    rejected = _train_until_it_waits(stage)
    asked = stage.await_mail(f"Version {rejected.version} waits for your approval")
    for reason in rejected.reasons:
        assert reason in asked.text
    assert "Replayed on" in asked.text
    assert f"approve {rejected.version}" in asked.text
    assert not stage.run("reject", "--reason", "Not on a Friday.")["promoted"]
    assert worse.version == stage.version
    (declined,) = stage.run("ledger")["not_approved"]
    assert (rejected.version, "rejected", arn) == (
        declined["version"],
        declined["answer"],
        declined["actor"],
    )
    refusal = stage.await_mail(f"Version {rejected.version} was not approved")
    assert "Not on a Friday." in declined["reason"]
    assert "Not on a Friday." in refusal.text

    approved = _train_until_it_waits(stage)
    assert stage.run("approve")["promoted"]
    assert approved.version == stage.version
    entry = stage.read_ledger()[-1]
    assert ("promote", arn, approved.version) == (entry.action, entry.actor, entry.version)
    assert "An operator approved it." in entry.reasons


def test_a_model_that_nobody_approves_in_time_does_not_serve(stage: LearningStage) -> None:
    worse = plant_version(stage.target, 97, lambda threshold: 1 - (1 - threshold) / 20)
    stage.run("rollback", "--to", worse.version)
    stage.shorten_approval(60)
    forgotten = _train_until_it_waits(stage)
    expired = stage.await_mail(f"Version {forgotten.version} was not approved")
    assert "nobody approved" in expired.text
    stage.run("approve", forgotten.version, fails=True)
    assert worse.version == stage.version
    assert ["rejected", "expired"] == [p["answer"] for p in stage.run("ledger")["not_approved"]]


def _train_until_it_waits(stage: LearningStage) -> Proposal:
    """What waits for an answer after a training on the uploaded rows."""
    stage.run("train", "--no-wait", "--production-days", "0")
    found: list[Proposal] = []

    def waits() -> bool:
        found[:] = proposals.list_waiting(stage.target)
        return bool(found)

    assert wait_until(waits, seconds=PATIENCE_SECONDS)
    assert found[0].version in ops(stage.target.folder, "status").stdout
    return found[0]
