"""The roles' policies as the templates write them, what each role needs, and who may do what.

A role needs what the end-to-end tests recorded and what `documented` lists. The evaluator is the
emulator's own.
"""

import json
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from tests.infra.assembly import Assembly, as_list
from tests.infra.security.documented import Documented, list_calls
from tests.recorder.calls import Call, read_committed

CLUSTER = {"ecs:cluster": "{Cluster.Arn}"}
TO_ECS = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}

NOT_OURS = {"ApiRestCloudWatchRole"}
"""The role of API Gateway's logs, which has AWS's own policy."""

Statement = dict[str, Any]


Policies = dict[str, list[Statement]]
"""The statements of each role, with references written out."""


@dataclass(frozen=True)
class Stage:
    """The policies of one stage, and the calls that its roles need."""

    policies: Policies
    needed: frozenset[Call]

    @classmethod
    def of(cls, policies: Policies, *documented: Documented) -> "Stage":
        """A stage whose roles need what was recorded and what is documented."""
        listed = (call for table in documented for call in list_calls(table))
        return cls(policies, frozenset(listed) | read_committed())

    def calls(self, role: str) -> list[tuple[str, str]]:
        """(action, resource) of everything that the role needs."""
        return [(action, resource) for owner, action, resource in self.needed if owner == role]


def read_policies(assembly: Assembly) -> Policies:
    """The policies of all roles but `NOT_OURS`."""
    roles = {role.name for role in assembly.resources("AWS::IAM::Role")} - NOT_OURS
    return {role: [_plain(assembly, s) for s in assembly.statements(role)] for role in roles}


def _plain(aws: Assembly, statement: Statement) -> Statement:
    plain = {
        k: [aws.text(v).replace("circle-prod", "circle-dev") for v in as_list(statement[k])]
        for k in ("Action", "Resource")
    }
    conditions = {
        operator: {key: [aws.text(v) for v in as_list(value)] for key, value in keys.items()}
        for operator, keys in statement.get("Condition", {}).items()
    }
    return {"Effect": statement["Effect"], **plain, "Condition": conditions}


def allows(statements: list[Statement], action: str, resource: str, **context: str) -> bool:
    """Whether the statements of one role allow a call."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    request = EvalContext(
        principal_arn="arn:aws:sts::123456789012:assumed-role/role/session",
        principal_type="AssumedRole",
        principal_account="123456789012",
        action=action,
        resource_arn=resource,
        region="eu-central-1",
        secure_transport=True,
        service_context=dict(context),
    )
    return bool(evaluate(request, [parse_policy_document(document)]).decision == "Allow")


def with_context(statements: list[Statement], action: str, resource: str) -> bool:
    """Whether a call is allowed as the state machine makes it."""
    return allows(statements, action, resource, **CLUSTER, **TO_ECS)
