"""The training state machine, its tasks, and their rights."""

import json
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from adapters.task_token import VARIABLE
from domain.model.actor import CHECKED
from domain.training.execution_kinds import kind_of
from domain.training.steps import RESULTS, Promoted
from domain.training.steps import STEP_NAMES as STEPS
from tests.infra.assembly import Assembly
from training_job.compaction.compact_request import CompactRequest
from training_job.inputs import ExecutionInput
from training_job.settings import Settings as TrainingSettings

RUN_TASK_LIMIT = 8192
ECS = "arn:{AWS::Partition}:ecs:{AWS::Region}:{AWS::AccountId}"
LONGEST_TOKEN = 2048


@pytest.fixture(scope="module")
def states(aws: Assembly) -> dict[str, Any]:
    found: dict[str, Any] = aws.definition()["States"]
    return found


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_a_timeout_a_heartbeat_and_a_catch(states: dict[str, Any], step: str) -> None:
    state = states[step.capitalize()]
    assert 600 == state["HeartbeatSeconds"]
    assert state["TimeoutSeconds"] > state["HeartbeatSeconds"]
    (catch,) = state["Catch"]
    assert (["States.ALL"], "AnnounceFailure") == (catch["ErrorEquals"], catch["Next"])


@pytest.mark.parametrize("step", STEPS)
def test_each_step_runs_its_command_with_the_token_the_execution_and_the_input(
    states: dict[str, Any], step: str
) -> None:
    state = states[step.capitalize()]
    assert state["Resource"].endswith(":states:::ecs:runTask.waitForTaskToken")
    assert f"$.{step}" == state["ResultPath"]
    (override,) = state["Parameters"]["Overrides"]["ContainerOverrides"]
    assert ["python", "-m", "training_job", step] == override["Command"]
    environment = {v["Name"]: v["Value.$"] for v in override["Environment"]}
    assert {
        VARIABLE: "$$.Task.Token",
        "EXECUTION": "$$.Execution.Id",
        "STARTED_AT": "$$.Execution.StartTime",
        "STATE_INPUT": "States.JsonToString($)",
    } == environment


def test_overrides_leave_room_for_the_longest_token_and_five_kilobytes_of_state(
    states: dict[str, Any],
) -> None:
    fixed = len(json.dumps(states["Evaluate"]["Parameters"]["Overrides"]))
    assert fixed + LONGEST_TOKEN + 5000 <= RUN_TASK_LIMIT


@pytest.mark.parametrize("step", STEPS)
def test_only_what_a_retry_can_cure_is_retried(states: dict[str, Any], step: str) -> None:
    retried = {e for retry in states[step.capitalize()]["Retry"] for e in retry["ErrorEquals"]}
    assert {
        "AmazonECS.Unknown",
        "ECS.AmazonECSException",
        "ECS.ServerException",
        "TaskFailedToStart",
        "Interrupted",
        "States.HeartbeatTimeout",
        "RegistryUnavailable",
        "AwsUnavailable",
    } == retried


@pytest.mark.parametrize("step", STEPS)
def test_a_retry_waits_longer_each_time_and_never_in_step_with_others(
    states: dict[str, Any], step: str
) -> None:
    for retry in states[step.capitalize()]["Retry"]:
        assert retry["BackoffRate"] > 1
        assert "FULL" == retry["JitterStrategy"]
        assert retry["MaxAttempts"] <= 5


def test_the_steps_follow_each_other_and_only_a_better_model_is_promoted(
    states: dict[str, Any],
) -> None:
    assert [
        "Train?",
        "DropProof",
        "Tune",
        "Evaluate",
        "Better?",
        "Promoted?",
    ] == [
        states[s]["Next"] for s in ("Input", "Prepare", "DropProof", "Tune", "Evaluate", "Promote")
    ]
    assert [{"Variable": "$.evaluate.promote", "BooleanEquals": True, "Next": "Promote"}] == states[
        "Better?"
    ]["Choices"]
    assert "Keep" == states["Better?"]["Default"]
    assert "AnnounceKept" == states["Keep"]["Next"]
    assert "AnnounceKept" == states["Promoted?"]["Default"]


def _paths(value: object) -> set[tuple[str, str]]:
    """``(step, field)`` of every JSONPath into a step's result, wherever it stands."""
    return set(re.findall(rf"\$\.({'|'.join(STEPS)})\.(\w+)", json.dumps(value)))


def test_every_path_of_the_machine_names_a_field_of_that_steps_result(
    states: dict[str, Any],
) -> None:
    results: dict[str, set[str]] = {kind.step: {f.name for f in fields(kind)} for kind in RESULTS}
    assert set(STEPS) == set(results)
    paths = _paths(states)
    assert {("evaluate", "promote"), ("promote", "seq")} <= paths
    assert set() == {(step, name) for step, name in paths if name not in results[step]}


def test_where_the_gate_keeps_the_champion_the_machine_writes_a_whole_result(
    states: dict[str, Any],
) -> None:
    keep = states["Keep"]
    assert f"$.{Promoted.step}" == keep["ResultPath"]
    written = {"version": "1-0a1b2c3d", "reasons": ["No gain."], "promoted": False}
    assert set(written) == {name.removesuffix(".$") for name in keep["Parameters"]}
    assert not Promoted.from_dict(written).promoted


def test_a_stage_with_approval_waits_for_an_answer_and_its_end_keeps_the_champion(
    varied: Callable[..., Assembly],
) -> None:
    found = varied("emulator", approval=True, approval_hours=12).definition()["States"]
    assert "Approve" == found["Better?"]["Choices"][0]["Next"]
    approve = found["Approve"]
    assert approve["Resource"].endswith(":states:::events:putEvents.waitForTaskToken")
    assert ("$.approve", 12 * 3600) == (approve["ResultPath"], approve["TimeoutSeconds"])
    (entry,) = approve["Parameters"]["Entries"]
    assert "PromotionProposed" == entry["DetailType"]
    assert ("$$.Task.Token", 12) == (entry["Detail"]["token.$"], entry["Detail"]["hours"])
    assert [["States.TaskFailed"]] == [retry["ErrorEquals"] for retry in approve["Retry"]]
    assert {"States.Timeout": "Expired", "States.ALL": "AnnounceFailure"} == {
        catch["ErrorEquals"][0]: catch["Next"] for catch in approve["Catch"]
    }
    (choice,) = found["Approved?"]["Choices"]
    assert ("$.approve.approved", "AnnounceApproved") == (choice["Variable"], choice["Next"])
    assert "Promote" == found["AnnounceApproved"]["Next"]
    assert "Rejected" == found["Approved?"]["Default"]
    for ending in ("Rejected", "Expired"):
        announce = found[ending]["Next"]
        assert f"Announce{ending}" == announce
        assert found[ending]["Parameters"]["promoted"] is False
        assert "AnnounceKept" == found[announce]["Next"]
    for announce in ("AnnounceRejected", "AnnounceApproved"):  # who answered is proven by that
        (entry,) = found[announce]["Parameters"]["Entries"]
        assert "$.approve" == entry["Detail"]["answer.$"]


def test_the_proof_of_a_caller_is_dropped_once_it_is_checked(states: dict[str, Any]) -> None:
    drop = states["DropProof"]
    assert ("$.input.caller", CHECKED) == (drop["ResultPath"], drop["Result"])
    assert ExecutionInput.parse({"caller": drop["Result"]}).caller is None


def test_a_rollback_or_a_named_version_goes_straight_to_promote(states: dict[str, Any]) -> None:
    choice, *_ = states["Train?"]["Choices"]
    assert "Promote" == choice["Next"]
    assert "Prepare" == states["Train?"]["Default"]
    text = json.dumps(choice)
    assert "$.input.rollback" in text
    assert "$.input.promote_version" in text


@pytest.mark.parametrize("step", ["check", "score", "erase", "compact"])
def test_a_check_or_a_scoring_runs_alone_and_ends(states: dict[str, Any], step: str) -> None:
    state = step.capitalize()
    (choice,) = (c for c in states["Train?"]["Choices"] if c["Next"] == state)
    assert f"$.input.{step}" in json.dumps(choice)
    assert states[state]["End"] is True


@pytest.mark.parametrize(
    ("state", "detail_type", "fields"),
    [
        ("AnnouncePromoted", "ModelPromoted", {"execution", "version", "reasons", "seq"}),
        ("AnnounceKept", "ModelKept", {"execution", "version", "reasons"}),
        ("AnnounceFailure", "TrainingFailed", {"execution", "error", "cause"}),
    ],
)
def test_each_ending_is_told_to_the_bus(
    states: dict[str, Any], state: str, detail_type: str, fields: set[str]
) -> None:
    (entry,) = states[state]["Parameters"]["Entries"]
    assert (entry["DetailType"], entry["Source"]) == (detail_type, "mlops.circle")
    assert {name.removesuffix(".$") for name in entry["Detail"]} == fields
    assert 60 == states[state]["TimeoutSeconds"]
    assert states[state]["ResultPath"] is None


def test_a_failure_ends_with_the_errors_name_and_its_sentence(states: dict[str, Any]) -> None:
    assert "Failed" == states["AnnounceFailure"]["Next"]
    assert "Failed" == states["AnnounceFailure"]["Catch"][0]["Next"]
    failed = states["Failed"]
    assert ("$.error.Error", "$.error.Cause") == (failed["ErrorPath"], failed["CausePath"])


def test_the_machine_may_run_its_tasks_pass_their_roles_and_put_events(aws: Assembly) -> None:
    assert {
        "ecs:RunTask": {
            f"{ECS}:task-definition/circle-dev-training:*",
            f"{ECS}:task-definition/circle-dev-promotion:*",
            f"{ECS}:task-definition/circle-dev-erasure:*",
            f"{ECS}:task-definition/circle-dev-compaction:*",
        },
        "iam:PassRole": {
            f"{{{task}{role}Role.Arn}}"
            for task in ("StepsTask", "PromotionTask", "ErasureTask", "CompactionTask")
            for role in ("Task", "Execution")
        },
        "events:PutEvents": {"{Bus.Arn}"},
    } == aws.allowed("TrainingRole")
    run, passing = (
        next(s for s in aws.statements("TrainingRole") if s["Action"] == action)
        for action in ("ecs:RunTask", "iam:PassRole")
    )
    assert "{Cluster.Arn}" == aws.text(run["Condition"]["ArnEquals"]["ecs:cluster"])
    assert {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}} == passing[
        "Condition"
    ]


def test_an_execution_goes_on_with_the_revision_that_a_deployment_made(
    aws: Assembly, states: dict[str, Any]
) -> None:
    # CloudFormation deregisters the revision before, so no state may name one.
    named = {step: states[step.capitalize()]["Parameters"]["TaskDefinition"] for step in STEPS}
    families = {t.properties["Family"] for t in aws.resources("AWS::ECS::TaskDefinition")}
    assert set(named.values()) == families - {"circle-dev-mlflow"}
    promotion = {step for step, family in named.items() if family == "circle-dev-promotion"}
    assert {"promote", "check"} == promotion
    assert ["erase"] == [s for s, family in named.items() if family == "circle-dev-erasure"]
    assert ["compact"] == [s for s, family in named.items() if family == "circle-dev-compaction"]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_spot_has_no_place_for_runs_on_demand_before_it_is_given_up(
    states: dict[str, Any], prod: Assembly, step: str
) -> None:
    state = states[step.capitalize()]
    (provider,) = state["Parameters"]["CapacityProviderStrategy"]
    found = re.fullmatch(
        r"States\.ArrayGetItem\(States\.Array\((.+)\), \$\$\.State\.RetryCount\)",
        provider["CapacityProvider.$"],
    )
    assert found is not None
    providers = [name.strip(" '") for name in found[1].split(",")]
    # One for each attempt; no capacity and an interruption are tried again on demand.
    assert 1 + sum(retry["MaxAttempts"] for retry in state["Retry"]) == len(providers)
    capacity = next(r for r in state["Retry"] if "AmazonECS.Unknown" in r["ErrorEquals"])
    assert "FARGATE" in providers[: 1 + capacity["MaxAttempts"]]
    assert ["FARGATE_SPOT", "FARGATE"] == list(dict.fromkeys(providers))
    (on_demand,) = prod.definition()["States"][step.capitalize()]["Parameters"][
        "CapacityProviderStrategy"
    ]
    assert {"CapacityProvider": "FARGATE", "Weight": 1} == on_demand


def test_only_a_promotion_may_change_what_serves(aws: Assembly) -> None:
    roles = [r.name for r in aws.resources("AWS::IAM::Role") if r.stack != "Tracking"]
    allowed = {role: aws.allowed(role).get("s3:PutObject", set()) for role in roles}
    pointer, ledger = "{Models.Arn}/serving/champion.json", "{Models.Arn}/serving/ledger/*"
    models = {
        role: {r for r in found if r.startswith("{Models")} for role, found in allowed.items()
    }
    promotion, steps = "PromotionTaskTaskRole", "StepsTaskTaskRole"
    erasure = "ErasureTaskTaskRole"
    assert {promotion} == {r for r, found in models.items() if found & {pointer, ledger}}
    assert {pointer, ledger, "{Models.Arn}/serving/check.json"} == models[promotion]
    assert {promotion, steps, erasure} == {role for role, found in models.items() if found}
    assert set() == models[steps] & {"{Models.Arn}/*", "{Models.Arn}/serving/*"}
    bundles = "{Models.Arn}/serving/bundles/*"
    samples = {f"{bundles}/reference.parquet", f"{bundles}/card.json"}
    assert (
        samples | {f"{{Models.Arn}}/{key}" for key in ("mlflow/*", "studies/*")} == models[erasure]
    )


def test_a_promotion_reads_no_data(aws: Assembly) -> None:
    allowed = aws.allowed("PromotionTaskTaskRole")
    models = {"bundles/*", "champion.json", "ledger/*"}
    assert {f"{{Models.Arn}}/serving/{key}" for key in models} == allowed["s3:GetObject"]
    assert {"{Models.Arn}"} == allowed["s3:ListBucket"]
    assert {
        "states:SendTaskSuccess",
        "states:SendTaskFailure",
        "states:SendTaskHeartbeat",
    } == {action for action in allowed if action.startswith("states:")}


def test_a_training_task_writes_datasets_models_and_answers_nothing_else(aws: Assembly) -> None:
    allowed = aws.allowed("StepsTaskTaskRole")
    own = {
        f"{{Models.Arn}}/{key}"
        for key in ("mlflow/*", "studies/*", "serving/bundles/*", "serving/lock.json")
    }
    data = {"{Data.Arn}/datasets/*", "{Data.Arn}/scoring/*"}
    batches = "{Predictions.Arn}/log/dt=*/batch-*"
    pointer = "{Models.Arn}/serving/champion.json"
    assert own | data | {batches} == allowed["s3:PutObject"]
    logs = {f"{{Predictions.Arn}}/{name}/*" for name in ("log", "labels", "fallback")}
    read = own - {"{Models.Arn}/mlflow/*"} | data | logs | {"{Data.Arn}/raw/*", pointer}
    assert read == allowed["s3:GetObject"]
    assert {
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:ListBucket",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "states:SendTaskSuccess",
        "states:SendTaskFailure",
        "states:SendTaskHeartbeat",
        "states:DescribeExecution",
        # Workers of its own, where an execution asks for them.
        "ecs:RunTask",
        "ecs:StopTask",
        "iam:PassRole",
    } == set(allowed)


def test_the_container_cannot_write_but_into_its_scratch_volume(aws: Assembly) -> None:
    task = aws.resource("AWS::ECS::TaskDefinition", "StepsTask").properties
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert [
        ("/tmp", False)  # noqa: S108 - a volume of the task alone
    ] == [(m["ContainerPath"], m["ReadOnly"]) for m in container["MountPoints"]]
    assert 120 == container["StopTimeout"]


def test_a_task_that_stops_without_a_word_is_reported_by_the_watcher(aws: Assembly) -> None:
    rule = aws.resource("AWS::Events::Rule", "StoppedTasks").properties
    pattern = rule["EventPattern"]
    assert ["ECS Task State Change"] == pattern["detail-type"]
    assert ["{Cluster.Arn}"] == [aws.text(arn) for arn in pattern["detail"]["clusterArn"]]
    assert ["STOPPED"] == pattern["detail"]["lastStatus"]
    assert "{TaskWatcherFunction.Arn}" == aws.text(rule["Targets"][0]["Arn"])
    assert {"{TrainingMachine}"} == aws.allowed("TaskWatcherRole")["states:SendTaskFailure"]


def test_a_stage_may_set_what_its_training_demands(
    aws: Assembly, varied: Callable[..., Assembly]
) -> None:
    table = {"bad_row_share": 0, "split_salt": "another"}
    shipped = {f.name: f.default for f in fields(TrainingSettings) if f.name in table}
    for assembly, expected in ((varied("emulator", training=table), table), (aws, shipped)):
        found = _settings(assembly)
        assert expected == {name: getattr(found, name) for name in table}


def _settings(assembly: Assembly) -> TrainingSettings:
    task = assembly.resource("AWS::ECS::TaskDefinition", "StepsTask").properties
    variables = task["ContainerDefinitions"][0]["Environment"]
    return TrainingSettings.from_env({v["Name"]: assembly.text(v["Value"]) for v in variables})


def test_a_task_searches_with_a_process_per_vcpu_that_it_paid_for(
    aws: Assembly, prod: Assembly, emulator: Assembly
) -> None:
    found = [_settings(assembly).processes for assembly in (aws, prod, emulator)]
    assert [2, 4, 0] == found


def test_no_training_is_scheduled_unless_the_stage_says_so(
    aws: Assembly, varied: Callable[..., Assembly]
) -> None:
    assert [] == [r.name for r in aws.resources("AWS::Scheduler::Schedule", "Training")]
    found = varied("emulator", training_schedule="cron(0 3 ? * SUN *)")
    (schedule,) = found.resources("AWS::Scheduler::Schedule", "Training")
    assert "cron(0 3 ? * SUN *)" == schedule.properties["ScheduleExpression"]
    assert "{}" == schedule.properties["Target"]["Input"]
    (role,) = [r for r in found.resources("AWS::IAM::Role", "Training") if r.name == "Clock"]
    (policy,) = [
        p.properties["PolicyDocument"]["Statement"]
        for p in found.resources("AWS::IAM::Policy", "Training")
        if {"Ref": role.logical_id} in p.properties["Roles"]
    ]
    assert [
        ("sqs:SendMessage", "{DeadLettersQueue.Arn}"),
        ("states:StartExecution", "{TrainingMachine}"),
    ] == [(s["Action"], found.text(s["Resource"])) for s in policy]
    [trust] = role.properties["AssumeRolePolicyDocument"]["Statement"]
    account = trust["Condition"]["StringEquals"]["aws:SourceAccount"]
    assert "{AWS::AccountId}" == found.text(account)


def test_a_stage_that_says_when_compacts_its_logs_regularly(
    varied: Callable[..., Assembly],
) -> None:
    found = varied("emulator", compaction_schedule="cron(0 3 * * ? *)")
    (schedule,) = found.resources("AWS::Scheduler::Schedule", "Training")
    assert "cron(0 3 * * ? *)" == schedule.properties["ScheduleExpression"]
    document = json.loads(schedule.properties["Target"]["Input"])
    assert CompactRequest(days=7) == ExecutionInput.parse(document).compact
    assert "compact" == kind_of(document)


def test_what_no_catch_can_see_reaches_the_topic(aws: Assembly) -> None:
    rule = aws.resource("AWS::Events::Rule", "FailedExecutions").properties
    detail = rule["EventPattern"]["detail"]
    assert ["FAILED", "TIMED_OUT", "ABORTED"] == detail["status"]
    assert ["{TrainingMachine}"] == [aws.text(arn) for arn in detail["stateMachineArn"]]
    assert "{OperationsTopic}" == aws.text(rule["Targets"][0]["Arn"])


def test_tasks_have_a_public_address_no_nat_and_nothing_may_reach_them(aws: Assembly) -> None:
    network = aws.definition()["States"]["Tune"]["Parameters"]["NetworkConfiguration"]
    assert "ENABLED" == network["AwsvpcConfiguration"]["AssignPublicIp"]
    assert 2 == len(network["AwsvpcConfiguration"]["Subnets"])
    group = aws.resource("AWS::EC2::SecurityGroup", "TrainingGroup").properties
    assert "SecurityGroupIngress" not in group
