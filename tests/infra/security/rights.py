"""What each role needs, its policies as the templates write them, and who may do what.

`NEEDED` lists the calls of every documented flow, as (actions, resources). The evaluator is the
emulator's own.
"""

import json
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from tests.infra.assembly import Assembly, as_list

DATA, MODELS, PREDICTIONS, REPORTS = (
    f"{{{name}.Arn}}" for name in ("Data", "Models", "Predictions", "Reports")
)
SERVING = f"{MODELS}/serving"
BUNDLE = f"{SERVING}/bundles/3-0a1b2c3d"
POINTER, LOCK = f"{SERVING}/champion.json", f"{SERVING}/lock.json"
ENTRY = f"{SERVING}/ledger/00000001-promote-3-0a1b2c3d.json"
DAY = "dt=2026-02-01"
KEY = "{DataKey.Arn}"
TOPIC, BUS, MACHINE = "{OperationsTopic}", "{Bus.Arn}", "{TrainingMachine}"
SECRET, DATABASE_SECRET = "{ReportSecret}", "{DatabaseInstanceSecretAttachment}"


def arn(service: str, resource: str) -> str:
    """A resource of this account and region, as the templates write it."""
    return f"arn:{{AWS::Partition}}:{service}:{{AWS::Region}}:{{AWS::AccountId}}:{resource}"


EXECUTION = arn("states", "execution:circle-dev-training:8f14e45f")
WORKGROUP = arn("athena", "workgroup/circle-dev")
IMAGES = arn(
    "ecr",
    'repository/{"Fn::Sub": "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}"}',
)
CLUSTER = {"ecs:cluster": "{Cluster.Arn}"}
TO_ECS = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}

Calls = list[tuple[str, list[str]]]


def log_of(name: str) -> Calls:
    """What whoever logs into a group of its own needs."""
    return [("logs:CreateLogStream logs:PutLogEvents", [f"{{{name}Log.Arn}}"])]


def glue(*tables: str) -> list[str]:
    """The catalog, the database and tables of it."""
    names = ("catalog", "database/{Database}", *(f"table/{{Database}}/{table}" for table in tables))
    return [arn("glue", name) for name in names]


def delivery(log: str, table: str, group: str) -> Calls:
    """A Firehose stream with Parquet conversion, as AWS's documentation lists it."""
    folders = [f"{PREDICTIONS}/{log}/{DAY}/a.parquet", f"{PREDICTIONS}/rejected/{log}/x/{DAY}/a"]
    return [
        ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", folders),
        ("s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads", [PREDICTIONS]),
        ("kms:GenerateDataKey kms:Decrypt", [KEY]),
        ("glue:GetTable glue:GetTableVersion glue:GetTableVersions", glue(f"{{{table}}}")),
        ("logs:PutLogEvents", [f"{{{group}Log.Arn}}"]),
    ]


def start_of_task(name: str) -> Calls:
    """What ECS needs to start a container."""
    pull = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    return [(pull, [IMAGES]), ("ecr:GetAuthorizationToken", ["*"]), *log_of(name)]


DEAD: Calls = [("sqs:SendMessage", ["{DeadLettersQueue.Arn}"])]
TRACES: Calls = [("xray:PutTraceSegments xray:PutTelemetryRecords", ["*"])]
ANSWER: Calls = [
    ("states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat", [MACHINE])
]
PUBLISH: Calls = [("sns:Publish", [TOPIC]), ("kms:Decrypt kms:GenerateDataKey", [KEY])]
LOGGED = [f"{PREDICTIONS}/log/{DAY}/a.parquet", f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"]
RUN = [f"{REPORTS}/runs/a/summary.json", f"{REPORTS}/requests/a.json"]
ALERTS = f"{REPORTS}/alerts/state.json"
ACKNOWLEDGEMENT = f"{REPORTS}/alerts/acknowledgements/daily-1769904000000.json"
DECISION = f"{REPORTS}/retraining/0123456789abcdef.json"
PROPOSALS = [f"{REPORTS}/proposals/train-1.json", f"{REPORTS}/notices/0123.json"]

TASKS = ("training", "promotion", "erasure")
MAIL: Calls = [
    (
        "ses:SendEmail",
        [
            *(arn("ses", f"identity/{name}@example.org") for name in ("sender", "team")),
            arn("ses", "identity/example.org"),
            arn("ses", "configuration-set/{MailConfiguration}"),
        ],
    ),
]

NEEDED: dict[str, Calls] = {
    "PredictorRole": [
        *log_of("Predictor"),
        ("s3:GetObject", [POINTER, f"{BUNDLE}/bundle.json.gz", f"{BUNDLE}/card.json"]),
        ("s3:ListBucket", [MODELS]),
        ("firehose:PutRecordBatch", ["{PredictionLogDeliveryStream.Arn}"]),
        ("s3:PutObject", [f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "LabelsRole": [
        *log_of("Labels"),
        ("firehose:PutRecordBatch", ["{LabelsDeliveryStream.Arn}"]),
        ("s3:PutObject", [f"{PREDICTIONS}/fallback/labels/{DAY}/a.jsonl"]),
        ("kms:GenerateDataKey", [KEY]),
    ],
    "DashboardBackendRole": [
        *log_of("DashboardBackend"),
        ("s3:GetObject", [*RUN, ALERTS, DECISION, PROPOSALS[0], POINTER, ENTRY, *LOGGED]),
        ("s3:GetObject", [f"{BUNDLE}/card.json"]),
        ("s3:PutObject", [f"{REPORTS}/requests/a.json"]),
        ("s3:GetObject s3:PutObject", [ACKNOWLEDGEMENT]),
        ("s3:ListBucket", [REPORTS, MODELS, PREDICTIONS]),
        ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", [f"{PREDICTIONS}/athena/a.csv"]),
        ("s3:GetBucketLocation", [PREDICTIONS]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("secretsmanager:GetSecretValue", [SECRET]),
        ("events:PutEvents", [BUS]),
        (
            "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults "
            "athena:StopQueryExecution",
            [WORKGROUP],
        ),
        (
            "glue:GetDatabase glue:GetTable glue:GetPartitions",
            glue("prediction_log", "prediction_log_fallback"),
        ),
    ],
    "DriftRole": [
        *log_of("Drift"),
        ("s3:GetObject", [POINTER, f"{BUNDLE}/reference.parquet", *LOGGED]),
        ("s3:GetObject", [f"{PREDICTIONS}/labels/{DAY}/a.parquet"]),
        ("s3:GetObject", [f"{PREDICTIONS}/label_draws/a/draw.json"]),
        ("s3:GetObject s3:PutObject", [*RUN, ALERTS, f"{REPORTS}/probation/00000002.json"]),
        ("s3:GetObject", [ACKNOWLEDGEMENT]),
        ("states:StartExecution", [MACHINE]),
        ("s3:ListBucket", [MODELS, PREDICTIONS, REPORTS]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("secretsmanager:GetSecretValue", [SECRET]),
        ("events:PutEvents", [BUS]),
        *MAIL,
        *PUBLISH,
        *DEAD,
    ],
    "DecisionsNotifierRole": [
        *log_of("DecisionsNotifier"),
        ("s3:ListBucket", [REPORTS]),
        ("s3:GetObject s3:PutObject", PROPOSALS),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        *MAIL,
        *PUBLISH,
        *DEAD,
    ],
    "Clock": [("lambda:InvokeFunction", ["{DriftFunction.Arn}"]), *DEAD],
    "RetrainingGuardRole": [
        *log_of("RetrainingGuard"),
        ("states:ListExecutions states:StartExecution", [MACHINE]),
        ("states:DescribeExecution", [EXECUTION]),
        ("s3:ListBucket", [DATA, PREDICTIONS, REPORTS]),
        ("s3:GetObject s3:PutObject", [DECISION]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("events:PutEvents", [BUS]),
        *PUBLISH,
        *DEAD,
    ],
    "TaskWatcherRole": [*log_of("TaskWatcher"), ("states:SendTaskFailure", [MACHINE]), *DEAD],
    "TrainingRole": [
        ("ecs:RunTask", [arn("ecs", f"task-definition/circle-dev-{task}:7") for task in TASKS]),
        (
            "iam:PassRole",
            [
                f"{{{task}Task{role}Role.Arn}}"
                for task in ("Steps", "Promotion", "Erasure")
                for role in ("Task", "Execution")
            ],
        ),
        ("events:PutEvents", [BUS]),
    ],
    "StepsTaskTaskRole": [
        *ANSWER,
        ("states:DescribeExecution", [EXECUTION]),
        ("ecs:RunTask", [arn("ecs", "task-definition/circle-dev-training:7")]),
        ("ecs:StopTask", [arn("ecs", "task/Cluster/0123456789abcdef")]),
        ("iam:PassRole", [f"{{StepsTask{role}Role.Arn}}" for role in ("Task", "Execution")]),
        ("s3:ListBucket", [DATA, MODELS, PREDICTIONS]),
        ("s3:GetObject", [f"{DATA}/raw/patients.csv", POINTER, *LOGGED]),
        ("s3:GetObject", [f"{PREDICTIONS}/labels/{DAY}/a.parquet"]),
        (
            "s3:GetObject s3:PutObject s3:AbortMultipartUpload",
            [
                f"{DATA}/datasets/a/train.parquet",
                f"{DATA}/scoring/out/part-00000.parquet",
                f"{MODELS}/mlflow/1/a/artifacts/model.ubj",
                f"{MODELS}/studies/a/journal.log",
                f"{BUNDLE}/bundle.json.gz",
                LOCK,
            ],
        ),
        (
            "s3:PutObject s3:AbortMultipartUpload",
            [f"{PREDICTIONS}/log/{DAY}/batch-a.parquet"],
        ),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "PromotionTaskTaskRole": [
        *ANSWER,
        ("s3:ListBucket", [MODELS]),
        ("s3:GetObject", [f"{BUNDLE}/bundle.json.gz", POINTER, ENTRY]),
        ("s3:PutObject", [POINTER, ENTRY, f"{SERVING}/check.json"]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "ErasureTaskTaskRole": [
        *ANSWER,
        ("states:ListExecutions", [MACHINE]),
        ("states:DescribeExecution states:GetExecutionHistory", [EXECUTION]),
        ("s3:ListBucket s3:ListBucketVersions", [DATA, MODELS, PREDICTIONS, REPORTS]),
        (
            "s3:GetObject s3:GetObjectVersion",
            [POINTER, *(f"{bucket}/any/object" for bucket in (DATA, PREDICTIONS, REPORTS))],
        ),
        (
            "s3:PutObject s3:DeleteObjectVersion",
            [
                *(f"{bucket}/any/object" for bucket in (DATA, PREDICTIONS, REPORTS)),
                f"{MODELS}/mlflow/1/a/artifacts/table.json",
                f"{MODELS}/studies/a/journal.log",
                f"{BUNDLE}/reference.parquet",
                f"{BUNDLE}/card.json",
            ],
        ),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "StepsTaskExecutionRole": start_of_task("Steps"),
    "PromotionTaskExecutionRole": start_of_task("Promotion"),
    "ErasureTaskExecutionRole": start_of_task("Erasure"),
    "MlflowTaskExecutionRole": [
        *start_of_task("Mlflow"),
        # CDK grants the description together with the value.
        ("secretsmanager:GetSecretValue secretsmanager:DescribeSecret", [DATABASE_SECRET]),
        ("kms:Decrypt", [KEY]),
    ],
    "MlflowTaskTaskRole": [
        ("s3:ListBucket", [MODELS]),
        ("s3:GetObject", [f"{MODELS}/mlflow/1/a/artifacts/model.ubj"]),
        ("kms:Decrypt", [KEY]),
        (
            "ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel "
            "ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel",
            ["*"],
        ),
    ],
    "PredictionLogDeliveryRole": delivery("log", "PredictionLogTable", "PredictionLogDelivery"),
    "LabelsDeliveryRole": delivery("labels", "LabelsTable", "LabelsDelivery"),
}

PROD: dict[str, Calls] = {
    # Traces, which only prod pays for.
    **{
        f"{name}Role": TRACES
        for name in (
            "Predictor",
            "Labels",
            "DashboardBackend",
            "Drift",
            "RetrainingGuard",
            "DecisionsNotifier",
            "TaskWatcher",
        )
    },
    "TrainingRole": [
        *TRACES,
        ("xray:GetSamplingRules xray:GetSamplingTargets", ["*"]),
    ],
    # A log of the network's connections.
    "FlowsRole": [
        ("logs:CreateLogStream logs:PutLogEvents logs:DescribeLogStreams", ["{FlowsLog.Arn}"])
    ],
}
"""What the roles of prod need beyond `NEEDED`."""

NOT_OURS = {"ApiRestCloudWatchRole"}
"""The role of API Gateway's logs, which has AWS's own policy."""

Statement = dict[str, Any]


Policies = dict[str, list[Statement]]
"""The statements of each role, with references written out."""


@dataclass(frozen=True)
class Stage:
    """The policies of one stage, and the calls that its roles need."""

    policies: Policies
    needed: dict[str, Calls]

    def calls(self, role: str) -> list[tuple[str, str]]:
        """(action, resource) of everything that the role needs."""
        found = self.needed[role]
        return [(a, r) for actions, resources in found for a in actions.split() for r in resources]


def add_calls(left: dict[str, Calls], right: dict[str, Calls]) -> dict[str, Calls]:
    """What each role needs in either table."""
    return {role: left.get(role, []) + right.get(role, []) for role in left | right}


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
