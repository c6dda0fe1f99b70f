"""Two deployments of one stage: no role of one may make any call that a flow of the other makes."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.infra.assembly import Assembly
from tests.infra.security.rights import (
    IMAGES,
    MAIL,
    NEEDED,
    Calls,
    Policies,
    arn,
    read_policies,
    with_context,
)

IDENTITIES = {resource for _, found in MAIL for resource in found if "identity/" in resource}
NOBODYS = {"*", IMAGES, arn("glue", "catalog"), *IDENTITIES}
"""Resources that belong to no deployment: the CDK's images, the account's catalog, the operator's
verified addresses, and what takes no resource."""

_REFERENCE = re.compile(r"\{(?!AWS::|\")")


def _qualify(text: str, name: str) -> str:
    """References to logical ids say whose they are; `text` may hold names of circle."""
    own = text.replace("circle-dev", f"{name}-dev").replace("circle_dev", f"{name}_dev")
    return _REFERENCE.sub(f"{{{name}.", own)


def _list_calls(name: str, needed: dict[str, Calls]) -> Iterator[tuple[str, str]]:
    """(action, resource) of all that the flows of a deployment need of its own."""
    for calls in needed.values():
        for actions, resources in calls:
            for resource in set(resources) - NOBODYS:
                for action in actions.split():
                    yield action, _qualify(resource, name)


def _read(assembly: Assembly, name: str) -> Policies:
    """A deployment's policies, whose physical names are its own."""
    return {
        role: [
            {**found, "Resource": [_REFERENCE.sub(f"{{{name}.", r) for r in found["Resource"]]}
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
        if with_context(statements, *call)
    ]
    assert [] == allowed


@pytest.mark.parametrize("name", ["circle", "heart"])
def test_the_same_calls_are_allowed_at_home(both: dict[str, Policies], name: str) -> None:
    """Otherwise the test above would find nothing whatever the policies say."""
    needed = {role: calls for role, calls in NEEDED.items() if role in both[name]}
    refused = [
        call
        for call in sorted(set(_list_calls(name, needed)))
        if not any(with_context(statements, *call) for statements in both[name].values())
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
