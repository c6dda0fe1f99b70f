"""People change what serves by the training machine, which gets a proof and their name."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.api.rest import Answer
from adapters.model_store import ModelStore
from adapters.telemetry import Telemetry
from domain import keys, times
from domain.api.change_routes import LONGEST_REASON
from domain.model.actor import Caller
from domain.model.champion import Champion, ModelRef
from domain.model.proposal import Proposal
from domain.training.steps import Approval
from lambdas.changes.change import Changes
from lambdas.changes.routes import ChangeRoutes, build
from tests.repository import ROOT
from tests.unit.fakes import FakeS3, api_event, client_error, make_sts, problem_of

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:circle-dev-training"
NOW = 1_770_000_000_000
OLD, NEW = ModelRef.of(1, "a" * 64), ModelRef.of(2, "b" * 64)


@dataclass
class FakeStates:
    """Keeps what it is asked; `closed`: nobody waits for the token any more."""

    closed: bool = False
    started: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def start_execution(self, **asked: Any) -> None:
        self.started.append(asked)

    def send_task_success(self, **asked: Any) -> None:
        if self.closed:
            raise client_error("TaskTimedOut")
        self.answers.append(asked)


@dataclass
class World:
    """One function with its stores in memory."""

    s3: FakeS3 = field(default_factory=FakeS3)
    states: FakeStates = field(default_factory=FakeStates)

    def serve(self, *refs: ModelRef) -> None:
        champion = None
        for ref in refs:
            self.s3.objects[ref.bundle_key] = b"{}"
            champion = Champion.successor(champion, ref, action="promote", execution="e", now=1)
        if champion:
            self.s3.objects[keys.CHAMPION] = champion.to_json()

    def propose(self, version: str) -> Proposal:
        proposal = Proposal(
            execution=MACHINE.replace("stateMachine", "execution") + ":train-1",
            version=version,
            reasons=(),
            proposed_at=NOW - 1,
            expires_at=NOW + 1,
            token="token",
        )
        self.s3.objects[keys.proposal(proposal.name)] = proposal.to_json()
        return proposal

    def post(self, path: str, body: Any, groups: str = "operate,approve") -> Answer:
        states: Any = self.states
        changes = Changes(
            states=states,
            sts=make_sts(),
            machine_arn=MACHINE,
            models=ModelStore(self.s3.bucket()),
            reports=self.s3.bucket(),
        )
        api = build(changes, Telemetry("changes", "circle-dev"), "ops --stage dev")
        routes = ChangeRoutes(changes, clock=lambda: times.from_millis(NOW))
        handlers = {"/people/rollbacks": routes.roll_back, "/people/approvals": routes.answer}
        api = type(api)({("POST", path): handlers[path]}, api.telemetry, api.errors, api.needed)
        claims = {"email": "ada@example.org", "token_use": "id", "cognito:groups": groups}
        context = {"requestId": "r", "authorizer": {"claims": claims}}
        return api.respond(api_event("POST", path, json.dumps(body), requestContext=context))


@pytest.mark.parametrize("body", [{}, {"version": OLD.version}])
def test_a_rollback_is_started_for_a_person_and_names_what_it_replaces(body: Any) -> None:
    world = World()
    world.serve(OLD, NEW)
    answer = world.post("/people/rollbacks", body)
    (started,) = world.states.started
    asked = json.loads(started["input"])
    assert (202, started["name"]) == (
        answer["statusCode"],
        json.loads(answer["body"])["execution"],
    )
    assert (OLD.version, 2) == (asked["promote_version"], asked["replaces_seq"])
    caller = Caller.of(asked["caller"])
    assert caller is not None
    assert ("people", "ada@example.org") == (caller.acts_as, caller.person)
    assert "x-mlops-execution" in caller.proof
    assert Caller.is_valid(asked["caller"])


@pytest.mark.parametrize(
    ("serving", "body", "expected"),
    [
        ((), {}, 409),
        ((OLD,), {}, 409),
        ((OLD, NEW), {"version": NEW.version}, 409),
        ((OLD, NEW), {"version": "9-0a1b2c3d"}, 404),
        ((OLD, NEW), {"version": "../x"}, 400),
        ((OLD, NEW), {"version": 1}, 400),
        ((OLD, NEW), {"to": "x"}, 400),
        ((OLD, NEW), [], 400),
    ],
)
def test_what_can_not_be_rolled_back_starts_nothing(
    serving: tuple[ModelRef, ...], body: Any, expected: int
) -> None:
    world = World()
    world.serve(*serving)
    assert expected == problem_of(world.post("/people/rollbacks", body))["status"]
    assert [] == world.states.started


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"approved": True}, ""),
        (
            {"approved": False, "reason": " Its recall is too low. "},
            "Kept: an operator rejected the version: Its recall is too low.",
        ),
    ],
)
def test_an_answer_reaches_the_model_that_waits_in_the_persons_name(
    body: dict[str, Any], said: str
) -> None:
    world = World()
    world.propose(NEW.version)
    answer = world.post("/people/approvals", {"version": NEW.version, **body})
    assert 202 == answer["statusCode"]
    (sent,) = world.states.answers
    approval = Approval.from_dict(json.loads(sent["output"]))
    assert (body["approved"], said) == (approval.approved, approval.reason)
    assert approval.caller is not None
    assert ("token", "ada@example.org") == (sent["taskToken"], approval.caller.person)


@pytest.mark.parametrize(
    "body",
    [
        {"version": NEW.version},
        {"version": NEW.version, "approved": "yes"},
        {"version": NEW.version, "approved": False},
        {"version": NEW.version, "approved": False, "reason": " "},
        {"version": NEW.version, "approved": False, "reason": "x" * 501},
        {"version": NEW.version, "approved": True, "reason": "Good."},
    ],
)
def test_an_answer_that_says_too_little_or_too_much_is_refused(body: Any) -> None:
    world = World()
    world.propose(NEW.version)
    assert 400 == problem_of(world.post("/people/approvals", body))["status"]
    assert [] == world.states.answers


def test_what_waits_no_longer_can_not_be_answered() -> None:
    world = World(states=FakeStates(closed=True))
    asked = {"version": NEW.version, "approved": True}
    assert 409 == problem_of(world.post("/people/approvals", asked))["status"]
    world.propose(NEW.version)
    assert 409 == problem_of(world.post("/people/approvals", asked))["status"]


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("/people/rollbacks", "read"),
        ("/people/rollbacks", "approve"),
        ("/people/approvals", "read"),
        ("/people/approvals", "operate"),
    ],
)
def test_who_starts_something_need_not_be_who_approves_it(path: str, groups: str) -> None:
    assert 403 == problem_of(World().post(path, {}, groups))["status"]


def test_a_proof_of_the_functions_role_names_the_person_and_any_other_itself() -> None:
    caller = Caller(proof="p", acts_as="people", person="ada@example.org")
    role = "arn:aws:sts::1:assumed-role/circle-dev-people-eu/f"
    principals: Any = {"people": "1:assumed-role/circle-dev-people-eu/", "guard": ""}
    assert "ada@example.org" == caller.name(role, principals)
    someone = "arn:aws:iam::1:user/ann"
    assert someone == caller.name(someone, principals)
    assert (role, "unproven") == (caller.name(role, {}), caller.name(None, principals))
    for acts_as, person in (("people", None), ("guard", "ada@example.org"), (None, "x")):
        document = {"proof": "p", "acts_as": acts_as} | ({"person": person} if person else {})
        assert not Caller.is_valid(document)


def test_the_pages_form_takes_the_reasons_that_the_api_takes() -> None:
    assert f"LONGEST_REASON = {LONGEST_REASON};" in (ROOT / "web" / "changes.js").read_text()


def test_a_damaged_pointer_changes_nothing_and_the_advice_names_the_stage() -> None:
    world = World()
    world.s3.objects[keys.CHAMPION] = b"{"
    answer = world.post("/people/rollbacks", {})
    assert 503 == answer["statusCode"]
    assert "ops --stage dev repair pointer" in json.loads(answer["body"])["detail"]
    assert [] == world.states.started
