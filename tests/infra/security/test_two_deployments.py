"""Two deployments of one stage: no role of one may make any call that a flow of the other makes."""

import re
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.infra.assembly import Assembly
from tests.infra.security.documented import DOCUMENTED, IMAGES, arn
from tests.infra.security.rights import TO_ECS, Policies, Stage, Statement, allows, read_policies
from tests.recorder.calls import Call

NEEDED = Stage.of({}, DOCUMENTED).needed
IDENTITIES = {resource for _, _, resource in NEEDED if ":identity/" in resource}
NOBODYS = {"*", IMAGES, arn("glue", "catalog"), *IDENTITIES}
"""Resources that belong to no deployment: the CDK's images, the account's catalog, the operator's
verified addresses, and what takes no resource."""

_REFERENCE = re.compile(r"\{(?!AWS::|\")")


def _qualify(text: str, name: str) -> str:
    """References to logical ids say whose they are; `text` may hold names of circle."""
    own = text.replace("circle-dev", f"{name}-dev").replace("circle_dev", f"{name}_dev")
    return _REFERENCE.sub(f"{{{name}.", own)


def _list_calls(name: str, needed: Iterable[Call]) -> Iterator[tuple[str, str]]:
    """(action, resource) of all that the flows of a deployment need of its own."""
    for _, action, resource in needed:
        if resource not in NOBODYS:
            yield action, _qualify(resource, name)


def _refer(texts: list[str], name: str) -> list[str]:
    """References to logical ids say whose they are."""
    return [_REFERENCE.sub(f"{{{name}.", text) for text in texts]


def _is_allowed(statements: list[Statement], action: str, resource: str, whose: str) -> bool:
    """Whether a call is allowed, which for a task is made on the cluster of `whose`."""
    cluster = {"ecs:cluster": f"{{{whose}.Cluster.Arn}}"}
    return allows(statements, action, resource, **cluster, **TO_ECS)


def _read(assembly: Assembly, name: str) -> Policies:
    """A deployment's policies, whose physical names are its own."""
    return {
        role: [
            {
                **found,
                "Resource": _refer(found["Resource"], name),
                "Condition": {
                    operator: {key: _refer(values, name) for key, values in keys.items()}
                    for operator, keys in found["Condition"].items()
                },
            }
            for found in statements
        ]
        for role, statements in read_policies(assembly).items()
    }


@pytest.fixture(scope="module")
def both(aws: Assembly, varied: Callable[..., Assembly]) -> dict[str, Policies]:
    """A deployment with a tracking server, and one that uses it."""
    heart = varied("aws", context={"name": "heart", "tracking": "circle"})
    return {"circle": _read(aws, "circle"), "heart": _read(heart, "heart")}


@pytest.mark.parametrize(("ours", "theirs"), [("circle", "heart"), ("heart", "circle")])
def test_no_role_of_one_may_touch_anything_of_the_other(
    both: dict[str, Policies], ours: str, theirs: str
) -> None:
    calls = set(_list_calls(theirs, NEEDED))
    assert len(calls) > 150
    allowed = [
        (role, *call)
        for role, statements in both[ours].items()
        for call in sorted(calls)
        if _is_allowed(statements, *call, theirs)
    ]
    assert [] == allowed


@pytest.mark.parametrize("name", ["circle", "heart"])
def test_the_same_calls_are_allowed_at_home(both: dict[str, Policies], name: str) -> None:
    """Otherwise the test above would find nothing whatever the policies say."""
    needed = [call for call in NEEDED if call[0] in both[name]]
    refused = [
        call
        for call in sorted(set(_list_calls(name, needed)))
        if not any(_is_allowed(statements, *call, name) for statements in both[name].values())
    ]
    assert [] == refused


@pytest.mark.parametrize(
    "rule", ["circle-devtwo-Training-StoppedTasks", "circle-devtwo/Decided", "heart-dev/Decided"]
)
def test_the_dead_letter_queue_takes_events_of_its_own_deployments_rules_only(
    aws: Assembly, rule: str
) -> None:
    policy = aws.resource("AWS::SQS::QueuePolicy").properties["PolicyDocument"]
    patterns = [
        aws.text(pattern)
        for statement in policy["Statement"]
        for pattern in statement.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn", [])
    ]
    assert 2 == len(patterns)
    source = arn("events", f"rule/{rule}")
    assert [] == [p for p in patterns if re.fullmatch(re.escape(p).replace(r"\*", ".*"), source)]
