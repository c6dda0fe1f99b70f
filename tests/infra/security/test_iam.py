"""What each role may do, and what it may not, by evaluating the synthesised policies.

Each call that was recorded or is documented must be allowed, and nothing else may be. Each
statement must be needed by one of them. `FORBIDDEN` lists calls that would do harm.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.infra.assembly import Assembly
from tests.infra.security.documented import (
    ALERTS,
    BUNDLE,
    DATA,
    DATABASE_SECRET,
    DAY,
    DOCUMENTED,
    ENTRY,
    EXECUTION,
    KEY,
    LOCK,
    LOGIN,
    MACHINE,
    MODELS,
    POINTER,
    PREDICTIONS,
    PROD,
    REPORTS,
    SECRET,
    SERVING,
    SMALL,
    WEBHOOK,
    arn,
)
from tests.infra.security.rights import (
    CLUSTER,
    TO_ECS,
    Stage,
    Statement,
    allows,
    read_policies,
    with_context,
)


@pytest.fixture(scope="module", params=["dev", "prod", "webhook", "login"])
def stage(
    request: pytest.FixtureRequest,
    synthesise: Callable[[str, str], Assembly],
    varied: Callable[..., Assembly],
) -> Stage:
    """What a stage's roles may and must do; prod's names are written as dev's.

    `webhook` is dev with a webhook, `login` dev with a login.
    """
    if request.param == "webhook":
        return Stage.of(read_policies(varied("aws", webhook="json")), DOCUMENTED, WEBHOOK)
    if request.param == "login":
        return Stage.of(read_policies(varied("aws", login="cognito")), DOCUMENTED, LOGIN)
    further = [PROD] if request.param == "prod" else []
    return Stage.of(read_policies(synthesise("aws", request.param)), DOCUMENTED, *further)


OTHER_MACHINE = arn("states", "stateMachine:heart-dev-training")
OTHER_BUS = arn("events", "event-bus/heart-dev")
FORBIDDEN = [
    # What serves: only a promotion may write it, and nobody may delete it.
    *((role, "s3:PutObject", POINTER) for role in DOCUMENTED if role != "PromotionTaskTaskRole"),
    ("StepsTaskTaskRole", "s3:PutObject", ENTRY),
    ("StepsTaskTaskRole", "s3:PutObject", f"{SERVING}/check.json"),
    ("PromotionTaskTaskRole", "s3:PutObject", f"{BUNDLE}/bundle.json.gz"),
    ("PromotionTaskTaskRole", "s3:PutObject", LOCK),
    ("PromotionTaskTaskRole", "s3:DeleteObject", POINTER),
    ("PromotionTaskTaskRole", "s3:DeleteObject", ENTRY),
    ("PromotionTaskTaskRole", "s3:DeleteObjectVersion", POINTER),
    # An erasure changes neither what serves nor how it answers, and hides nothing it deletes.
    ("ErasureTaskTaskRole", "s3:PutObject", ENTRY),
    ("ErasureTaskTaskRole", "s3:PutObject", f"{BUNDLE}/bundle.json.gz"),
    ("ErasureTaskTaskRole", "s3:DeleteObjectVersion", POINTER),
    ("ErasureTaskTaskRole", "s3:DeleteObjectVersion", ENTRY),
    ("ErasureTaskTaskRole", "states:StartExecution", MACHINE),
    ("StepsTaskTaskRole", "s3:DeleteObjectVersion", f"{DATA}/raw/patients.csv"),
    # A compaction deletes for good only what it wrote, and touches nothing but the logs.
    *(("CompactionTaskTaskRole", "s3:DeleteObjectVersion", one) for one in SMALL),
    *(("CompactionTaskTaskRole", "s3:PutObject", one) for one in SMALL),
    ("CompactionTaskTaskRole", "s3:DeleteObject", f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"),
    ("CompactionTaskTaskRole", "s3:GetObject", f"{DATA}/raw/patients.csv"),
    ("CompactionTaskTaskRole", "states:StartExecution", MACHINE),
    # Data and the log of features: who doesn't need them can't read or write them.
    ("PredictorRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("PredictorRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("PredictorRole", "s3:PutObject", f"{PREDICTIONS}/fallback/labels/{DAY}/a.jsonl"),
    ("PredictorRole", "s3:GetObject", f"{BUNDLE}/reference.parquet"),
    ("PredictorRole", "firehose:PutRecordBatch", "{LabelsDeliveryStream.Arn}"),
    ("LabelsRole", "firehose:PutRecordBatch", "{PredictionLogDeliveryStream.Arn}"),
    ("LabelsRole", "s3:GetObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("LabelsRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("LabelsRole", "kms:Decrypt", KEY),
    ("DashboardBackendRole", "s3:GetObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("DashboardBackendRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("DashboardBackendRole", "s3:PutObject", f"{REPORTS}/runs/a/summary.json"),
    ("DashboardBackendRole", "s3:PutObject", ALERTS),
    ("DashboardBackendRole", "athena:StartQueryExecution", arn("athena", "workgroup/primary")),
    ("DriftRole", "s3:GetObject", f"{DATA}/raw/patients.csv"),
    ("DriftRole", "s3:PutObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("DriftRole", "glue:GetTable", arn("glue", "table/{Database}/labels")),
    ("DriftRole", "glue:UpdateTable", arn("glue", "table/{Database}/prediction_log")),
    ("DriftRole", "athena:StartQueryExecution", arn("athena", "workgroup/primary")),
    ("DriftRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:PutObject", f"{DATA}/raw/patients.csv"),
    ("StepsTaskTaskRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:PutObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:GetObject", f"{PREDICTIONS}/athena/a.csv"),
    ("StepsTaskTaskRole", "s3:GetObject", f"{MODELS}/mlflow/1/a/artifacts/model.ubj"),
    ("PromotionTaskTaskRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:DeleteObject", f"{DATA}/raw/patients.csv"),
    ("PromotionTaskTaskRole", "s3:GetObject", f"{DATA}/datasets/a/train.parquet"),
    ("PromotionTaskTaskRole", "s3:ListBucket", DATA),
    ("MlflowTaskTaskRole", "s3:PutObject", f"{MODELS}/mlflow/1/a/artifacts/model.ubj"),
    ("MlflowTaskTaskRole", "s3:GetObject", POINTER),
    ("PredictionLogDeliveryRole", "s3:PutObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("LabelsDeliveryRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    # Deletions and the settings of buckets.
    *(
        (role, "s3:DeleteObject", f"{PREDICTIONS}/log/{DAY}/a.parquet")
        for role in DOCUMENTED
        if role != "CompactionTaskTaskRole"  # whose deleted objects can be recovered
    ),
    *((role, "s3:PutBucketPolicy", MODELS) for role in DOCUMENTED),
    *((role, "kms:ScheduleKeyDeletion", KEY) for role in DOCUMENTED),
    # Secrets.
    ("PredictorRole", "secretsmanager:GetSecretValue", SECRET),
    ("StepsTaskTaskRole", "secretsmanager:GetSecretValue", DATABASE_SECRET),
    ("MlflowTaskTaskRole", "secretsmanager:GetSecretValue", DATABASE_SECRET),
    ("DriftRole", "secretsmanager:PutSecretValue", SECRET),
    # Roles and other principals.
    *((role, "iam:PassRole", "{MlflowTaskTaskRole.Arn}") for role in DOCUMENTED),
    *((role, "sts:AssumeRole", "{PromotionTaskTaskRole.Arn}") for role in DOCUMENTED),
    ("RetrainingGuardRole", "states:StopExecution", EXECUTION),
    ("RetrainingGuardRole", "s3:PutObject", ALERTS),
    ("RetrainingGuardRole", "s3:GetObject", f"{DATA}/raw/patients.csv"),
    ("DashboardBackendRole", "states:StartExecution", MACHINE),
    ("DashboardBackendRole", "states:StopExecution", EXECUTION),
    ("DashboardBackendRole", "states:ListExecutions", OTHER_MACHINE),
    ("DashboardBackendRole", "lambda:InvokeFunction", "{DriftFunction.Arn}"),
    ("Clock", "lambda:InvokeFunction", "{PredictorFunction.Arn}"),
    ("TaskWatcherRole", "states:SendTaskSuccess", MACHINE),
    # Other deployments in the account.
    ("RetrainingGuardRole", "states:StartExecution", OTHER_MACHINE),
    (
        "RetrainingGuardRole",
        "states:DescribeExecution",
        arn("states", "execution:heart-dev-training:8f14e45f"),
    ),
    ("TrainingRole", "ecs:RunTask", arn("ecs", "task-definition/heart-dev-training:7")),
    ("DriftRole", "events:PutEvents", OTHER_BUS),
    ("DriftRole", "ses:SendEmail", arn("ses", "identity/other@example.net")),
    ("DashboardBackendRole", "athena:GetQueryResults", arn("athena", "workgroup/heart-dev")),
    ("DashboardBackendRole", "glue:GetTable", arn("glue", "table/heart_dev/prediction_log")),
    ("StepsTaskTaskRole", "states:SendTaskSuccess", OTHER_MACHINE),
    # A step starts workers with its own rights, and no others.
    ("StepsTaskTaskRole", "ecs:RunTask", arn("ecs", "task-definition/circle-dev-promotion:7")),
    ("StepsTaskTaskRole", "iam:PassRole", "{PromotionTaskTaskRole.Arn}"),
    ("PromotionTaskTaskRole", "ecs:RunTask", arn("ecs", "task-definition/circle-dev-training:7")),
]
"""(role, action, resource)."""


def test_every_role_is_in_the_table(stage: Stage) -> None:
    assert {role for role, _, _ in stage.needed} == set(stage.policies)


def test_every_call_that_a_flow_makes_is_allowed(stage: Stage) -> None:
    refused = [
        (role, *call)
        for role, statements in stage.policies.items()
        for call in stage.calls(role)
        if not with_context(statements, *call)
    ]
    assert [] == refused


def test_every_action_on_every_resource_is_needed_by_a_flow(stage: Stage) -> None:
    unneeded = [
        (role, action, resource)
        for role, statements in stage.policies.items()
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
        if not any(
            with_context([{**statement, "Action": [action], "Resource": [resource]}], *call)
            for call in stage.calls(role)
        )
    ]
    assert [] == unneeded


def test_without_any_one_of_its_statements_a_role_lacks_a_call(stage: Stage) -> None:
    superfluous = [
        (role, statement)
        for role, statements in stage.policies.items()
        for n, statement in enumerate(statements)
        if all(
            with_context(statements[:n] + statements[n + 1 :], *call) for call in stage.calls(role)
        )
    ]
    assert [] == superfluous


def test_at_least_forty_calls_are_forbidden() -> None:
    assert len(FORBIDDEN) == len(set(FORBIDDEN)) >= 40


@pytest.mark.parametrize(("role", "action", "resource"), FORBIDDEN)
def test_what_would_do_harm_is_refused(
    policies: dict[str, list[Statement]], role: str, action: str, resource: str
) -> None:
    assert not with_context(policies[role], action, resource)


@pytest.mark.parametrize("starter", ["TrainingRole", "StepsTaskTaskRole"])
def test_tasks_run_on_the_deployments_own_cluster_and_roles_go_to_ecs_only(
    policies: dict[str, list[Statement]], starter: str
) -> None:
    machine = policies[starter]
    task, role = arn("ecs", "task-definition/circle-dev-training:7"), "{StepsTaskTaskRole.Arn}"
    assert allows(machine, "ecs:RunTask", task, **CLUSTER)
    assert not allows(machine, "ecs:RunTask", task, **{"ecs:cluster": arn("ecs", "cluster/heart")})
    assert allows(machine, "iam:PassRole", role, **TO_ECS)
    lambda_ = {"iam:passedtoservice": "lambda.amazonaws.com"}
    assert not allows(machine, "iam:PassRole", role, **lambda_)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": ["s3:*"], "Resource": ["*"]}, True),
        ({"Action": ["s3:Get*"], "Resource": [f"{MODELS}/serving/*"]}, True),
        ({"Action": ["s3:PutObject"], "Resource": ["*"]}, False),
        ({"Action": ["s3:GetObject"], "Resource": [f"{MODELS}/mlflow/*"]}, False),
        ({"Effect": "Deny", "Action": ["s3:GetObject"], "Resource": ["*"]}, False),
    ],
)
def test_the_evaluator_knows_wildcards_and_denials(
    statement: dict[str, Any], expected: bool
) -> None:
    assert expected is allows([{"Effect": "Allow", **statement}], "s3:GetObject", POINTER)
