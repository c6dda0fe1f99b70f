"""The training state machine, as the Step Functions console shows it.

Prepare → DropProof → Tune → Evaluate → Better? → Promote → Promoted? → AnnouncePromoted
with Keep → AnnounceKept where the champion stays, AnnounceFailure → Failed where a step fails.

Where a stage wants approval, Better? leads to Approve, which waits for an operator's answer:
Approve → Approved? → AnnounceApproved → Promote
with Rejected → AnnounceRejected or Expired → AnnounceExpired, and then AnnounceKept, where the
champion stays.

The state accumulates ``{"input": ..., "prepare": ..., "tune": ..., "evaluate": ...}``: the
execution's input, then each step's result. With ``{"rollback": true}``, ``{"repair": true}`` or
``{"promote_version": ...}`` as input it goes to Promote, with ``{"check": true}`` to Check,
with ``{"score": {...}}`` to Score, with ``{"erase": {...}}`` to Erase, with ``{"compact": {...}}``
to Compact.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from domain.events import SOURCE, DetailType
from domain.model.actor import CHECKED
from domain.times import describe_hours
from domain.training.steps import Approval, Evaluated, Promoted, StepName
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.training.task_state import (
    COMPACTION,
    ERASURE,
    PROMOTION,
    TIMEOUT_HOURS,
    TrainingTask,
)

ERROR = "$.error"


class TrainingMachine(Construct):
    """The machine, whose role may only run these tasks, pass their roles, and put events."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        steps: TrainingTask,
        promotion: TrainingTask,
        erasure: TrainingTask,
        compaction: TrainingTask,
        bus: events.IEventBus,
        tracing: bool,
        approval_hours: int | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._steps, self._started = steps, (steps, promotion, erasure, compaction)
        self._own = {
            **dict.fromkeys(PROMOTION, promotion),
            **dict.fromkeys(ERASURE, erasure),
            **dict.fromkeys(COMPACTION, compaction),
        }
        self._bus = bus
        self._approval_hours = approval_hours
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        self._grant()
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            role=self._role,
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
            tracing_enabled=tracing,
        )
        reasons = {
            "AwsSolutions-SF1": (
                "Step Functions keeps each execution's history for 90 days; delivering it to"
                " CloudWatch too takes rights on every log group."
            )
        }
        if tracing:
            acknowledge(self._role, {wildcard_finding("*"): "X-Ray's actions take no resource."})
        else:
            untraced = "Four steps in a row: the history says what a trace would."
            reasons["AwsSolutions-SF2"] = untraced
            reasons["Serverless-StepFunctionStateMachineXray"] = untraced
        acknowledge(self.machine, reasons)

    def _grant(self) -> None:
        stack = Stack.of(self)
        revisions = [f"task-definition/{task.family}:*" for task in self._started]
        here = f"arn:{stack.partition}:ecs:{stack.region}:{stack.account}"
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[f"{here}:{revision}" for revision in revisions],
                conditions={"ArnEquals": {"ecs:cluster": self._steps.cluster_arn}},
            )
        )
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[arn for task in self._started for arn in task.role_arns],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            )
        )
        reported = "arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>"
        reason = "Each deployment makes a new revision of the family."
        acknowledge(
            self._role,
            {wildcard_finding(f"{reported}:{revision}"): reason for revision in revisions},
        )

    def _definition(self) -> sfn.IChainable:
        failed = self._failed()
        step = {name: self._step(name, failed) for name in TIMEOUT_HOURS}
        promote = step["promote"]
        kept = self._announce("AnnounceKept", "ModelKept", failed)
        # By its number a reader knows an event that comes twice.
        seq = {"seq": sfn.JsonPath.string_at(Promoted.path("seq"))}
        promote.next(
            sfn.Choice(self, "Promoted?")
            .when(
                sfn.Condition.boolean_equals(Promoted.path("promoted"), True),
                self._announce("AnnouncePromoted", "ModelPromoted", failed, seq),
            )
            .otherwise(kept)
        )
        better = (
            sfn.Choice(self, "Better?")
            .when(
                sfn.Condition.boolean_equals(Evaluated.path("promote"), True),
                self._approve(self._approval_hours, promote, kept, failed)
                if self._approval_hours
                else promote,
            )
            .otherwise(self._keep("Keep").next(kept))
        )
        training = (
            step["prepare"]
            .next(self._drop_proof())
            .next(step["tune"])
            .next(step["evaluate"])
            .next(better)
        )
        return sfn.Pass(self, "Input", parameters={"input": sfn.JsonPath.entire_payload}).next(
            sfn.Choice(self, "Train?")
            .when(_names_a_version(), promote)
            .when(_asks_for("check"), step["check"])
            .when(_asks_for("score"), step["score"])
            .when(_asks_for("erase"), step["erase"])
            .when(_asks_for("compact"), step["compact"])
            .otherwise(training)
        )

    def _step(self, step: StepName, failed: sfn.IChainable) -> sfn.CustomState:
        task = self._own.get(step, self._steps)
        state = sfn.CustomState(
            self, step.capitalize(), state_json=task.state(step, Stack.of(self).partition)
        )
        return state.add_catch(failed, errors=["States.ALL"], result_path=ERROR)

    def _drop_proof(self) -> sfn.Pass:
        """Prepare has checked the caller's proof; later steps lack the room to carry it."""
        return sfn.Pass(
            self,
            "DropProof",
            result=sfn.Result.from_string(CHECKED),
            result_path="$.input.caller",
        )

    def _keep(self, construct_id: str, *reasons: str) -> sfn.Pass:
        """The champion stays: write `Promoted`'s fields, for the same announcement.

        `reasons`: sentences or JSONPaths; without one, the gate's.
        """
        given = sfn.JsonPath.array(*reasons) if reasons else None
        return sfn.Pass(
            self,
            construct_id,
            parameters={
                "promoted": False,
                "version": sfn.JsonPath.string_at(Evaluated.path("version")),
                "reasons": given or sfn.JsonPath.list_at(Evaluated.path("reasons")),
            },
            result_path=f"$.{Promoted.step}",
        )

    def _approve(
        self, hours: int, promote: sfn.IChainable, kept: sfn.IChainable, failed: sfn.IChainable
    ) -> sfn.IChainable:
        """Propose the version on the bus, and wait for the answer of an operator.

        The event carries the task token, which is worth nothing without the right to call
        SendTaskSuccess on this machine.
        """
        proposal = {
            "execution": sfn.JsonPath.execution_id,
            "version": sfn.JsonPath.string_at(Evaluated.path("version")),
            "reasons": sfn.JsonPath.list_at(Evaluated.path("reasons")),
        }
        detail: dict[str, object] = {
            **proposal,
            "proposed_at": sfn.JsonPath.state_entered_time,
            "hours": hours,
            "token": sfn.JsonPath.task_token,
        }
        answer: dict[str, object] = {"answer": sfn.JsonPath.object_at(f"$.{Approval.step}")}
        rejected = self._announce("AnnounceRejected", "PromotionRejected", failed, answer)
        overdue = self._announce("AnnounceExpired", "PromotionRejected", failed, {"expired": True})
        rejected.next(kept)
        overdue.next(kept)
        expired = self._keep(
            "Expired", f"Kept: nobody approved the version within {describe_hours(hours)}."
        ).next(overdue)
        approve = tasks.EventBridgePutEvents(
            self,
            "Approve",
            entries=[self._entry("PromotionProposed", detail)],
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            result_path=f"$.{Approval.step}",
            task_timeout=sfn.Timeout.duration(Duration.hours(hours)),
        )
        # States.TaskFailed is any error but a timeout.
        approve.add_retry(
            errors=["States.TaskFailed"], max_attempts=3, interval=Duration.seconds(2)
        )
        approve.add_catch(expired, errors=["States.Timeout"], result_path=sfn.JsonPath.DISCARD)
        approve.add_catch(failed, errors=["States.ALL"], result_path=ERROR)
        announce = self._put("AnnounceApproved", "PromotionApproved", {**proposal, **answer})
        announce.add_catch(failed, errors=["States.ALL"], result_path=ERROR)
        return approve.next(
            sfn.Choice(self, "Approved?")
            .when(
                sfn.Condition.boolean_equals(Approval.path("approved"), True),
                announce.next(promote),
            )
            .otherwise(
                self._keep("Rejected", sfn.JsonPath.string_at(Approval.path("reason"))).next(
                    rejected
                )
            )
        )

    def _announce(
        self,
        construct_id: str,
        detail_type: DetailType,
        failed: sfn.IChainable,
        more: Mapping[str, object] = MappingProxyType({}),
    ) -> tasks.EventBridgePutEvents:
        """Put an event about `Promoted`'s fields, with `more` in its detail."""
        detail: dict[str, object] = {
            "execution": sfn.JsonPath.execution_id,
            "version": sfn.JsonPath.string_at(Promoted.path("version")),
            "reasons": sfn.JsonPath.list_at(Promoted.path("reasons")),
            **more,
        }
        announce = self._put(construct_id, detail_type, detail)
        announce.add_catch(failed, errors=["States.ALL"], result_path=ERROR)
        return announce

    def _failed(self) -> sfn.IChainable:
        """Put the event, then end with the error's name and its sentence."""
        error, cause = f"{ERROR}.Error", f"{ERROR}.Cause"
        end = sfn.Fail(self, "Failed", error_path=error, cause_path=cause)
        detail = {
            "execution": sfn.JsonPath.execution_id,
            "error": sfn.JsonPath.string_at(error),
            "cause": sfn.JsonPath.string_at(cause),
        }
        announce = self._put("AnnounceFailure", "TrainingFailed", detail)
        # An event that can't be put must not hide why the training failed.
        announce.add_catch(end, errors=["States.ALL"], result_path=sfn.JsonPath.DISCARD)
        return announce.next(end)

    def _put(
        self, construct_id: str, detail_type: DetailType, detail: Mapping[str, object]
    ) -> tasks.EventBridgePutEvents:
        state = tasks.EventBridgePutEvents(
            self,
            construct_id,
            entries=[self._entry(detail_type, detail)],
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        state.add_retry(max_attempts=3, interval=Duration.seconds(2))
        return state

    def _entry(
        self, detail_type: DetailType, detail: Mapping[str, object]
    ) -> tasks.EventBridgePutEventsEntry:
        return tasks.EventBridgePutEventsEntry(
            detail=sfn.TaskInput.from_object(dict(detail)),
            detail_type=detail_type,
            event_bus=self._bus,
            source=SOURCE,
        )


def _names_a_version() -> sfn.Condition:
    """A rollback, a repair, or the promotion of a named version; Promote checks the values."""
    return sfn.Condition.or_(
        sfn.Condition.is_present("$.input.promote_version"),
        _asks_for("rollback"),
        _asks_for("repair"),
    )


def _asks_for(name: str) -> sfn.Condition:
    """Present and not false; the step itself refuses any other bad value."""
    variable = f"$.input.{name}"
    return sfn.Condition.and_(
        sfn.Condition.is_present(variable),
        sfn.Condition.not_(sfn.Condition.boolean_equals(variable, False)),
    )
