"""Executions of the training state machine for the dashboard: what each did, and its verdict."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from adapters import executions
from adapters.executions import Description, Execution
from domain.api.answers import ExecutionList, ShownExecution, WaitingModel
from domain.errors import BadRecord
from domain.failures import split_cause
from domain.plural import agree, write_count
from domain.training.execution_kinds import KINDS, kind_of
from domain.training.steps import Checked, Compacted, Erased, Evaluated, Prepared, Promoted, Scored
from lambdas.dashboard.stored import PARALLEL

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

LATEST = 50
"""How many executions are shown: each is described by a call of its own."""


@dataclass(frozen=True, slots=True)
class Executions:
    """The state machine whose executions are listed. AWS keeps an ended one for 90 days.

    `operator_command`: how the operator's command line is called.
    """

    client: "SFNClient"
    state_machine_arn: str
    operator_command: str

    def list_latest(self, waiting: tuple[WaitingModel, ...]) -> ExecutionList:
        """The latest executions, the newest first, and the models that wait for an approval."""
        found = list(executions.newest_first(self.client, self.state_machine_arn, limit=LATEST))
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            described = pool.map(lambda each: executions.describe(self.client, each.arn), found)
            shown = tuple(map(self._show, found, described))
        return ExecutionList(executions=shown, limit=LATEST, waiting=waiting)

    def find_latest(self, *kinds: str) -> dict[str, ShownExecution]:
        """The last execution of each of these `KINDS`, if it is among the latest ones."""
        latest: dict[str, ShownExecution] = {}
        for found in executions.newest_first(self.client, self.state_machine_arn, limit=LATEST):
            if len(latest) == len(kinds):
                break
            description = executions.describe(self.client, found.arn)
            kind = kind_of(description.input)
            if kind in kinds and kind not in latest:
                latest[kind] = self._show(found, description)
        return latest

    def _show(self, execution: Execution, description: Description) -> ShownExecution:
        failure = _describe_failure(description, self.operator_command)
        return _show(execution, description, tuple(failure))


def _show(
    execution: Execution, description: Description, failure: tuple[str, ...]
) -> ShownExecution:
    output = description.output if isinstance(description.output, Mapping) else {}
    version: str | None = None
    promoted: bool | None = None
    started_by: str | None = None
    sentences: list[str] = []
    try:
        prepared, scored = Prepared.of(output), Scored.of(output)
        ended = Promoted.of(output) or Evaluated.of(output)
        if prepared is not None:
            started_by = prepared.started_by
        if ended is not None:
            version, sentences = ended.version, list(ended.reasons)
            promoted = isinstance(ended, Promoted) and ended.promoted
        if scored is not None:
            version = scored.model_version
        sentences += _describe_others(output, scored)
    except BadRecord:
        sentences = ["What it ended with can't be read: it was made by another release."]
    return ShownExecution(
        name=execution.arn.rsplit(":", 1)[-1],
        kind=KINDS[kind_of(description.input)],
        status=execution.status,
        started_at=execution.started_at,
        ended_at=execution.ended_at,
        started_by=started_by,
        version=version,
        promoted=promoted,
        sentences=(*sentences, *failure),
    )


def _describe_others(output: Mapping[str, object], scored: Scored | None) -> Iterator[str]:
    """What a scoring, a check, an erasure or a compaction did."""
    if scored is not None:
        yield (
            f"{write_count(scored.rows, 'row')}: {scored.positives:,} positive, {scored.refused:,} "
            f"refused{', logged' if scored.logged else ''}."
        )
    checked = Checked.of(output)
    if checked is not None:
        yield from checked.problems or ("Champion, ledger and registry agree.",)
    erased = Erased.of(output)
    if erased is not None:
        were = _choose_verb(erased.rows, dry_run=erased.dry_run)
        objects = write_count(erased.objects, "object")
        yield f"{write_count(erased.rows, 'row')} {were} erased from {objects}."
        if erased.unfinished:
            yield f"{write_count(erased.unfinished, 'object')} may still hold a row."
    compacted = Compacted.of(output)
    if compacted is not None:
        verb = partial(_choose_verb, dry_run=compacted.dry_run)
        merged, deleted, left = compacted.merged, compacted.deleted, compacted.left
        yield (
            f"{write_count(merged, 'small object')} {verb(merged)} merged into "
            f"{compacted.objects:,}, and {deleted:,} that had been merged before {verb(deleted)} "
            "deleted."
        )
        if withdrawn := compacted.withdrawn:
            yield f"{write_count(withdrawn, 'merged object')} {verb(withdrawn)} withdrawn."
        if left:
            yield (
                f"{write_count(left, 'object')} {verb(left)} left as "
                f"{agree(left, 'it is', 'they are')}."
            )


def _choose_verb(number: int, *, dry_run: bool) -> str:
    return "would be" if dry_run else agree(number, "was", "were")


def _describe_failure(description: Description, operator: str) -> Iterator[str]:
    """The named error, why, and what to do."""
    if description.error or description.cause:
        advice, why = split_cause(description.error, description.cause, operator=operator)
        yield ": ".join(filter(None, (description.error, why)))
        yield advice
