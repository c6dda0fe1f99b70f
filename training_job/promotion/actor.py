"""Find out who stands behind an execution, by the proofs in its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.model.actor import GATE, UNPROVEN, Automation, Caller
from domain.training.steps import Approval, Prepared
from training_job.inputs import State

Identify = Callable[[str], str | None]
"""A proof → the ARN of the principal that signed it for this execution, or None."""


@dataclass(frozen=True, slots=True)
class Actors:
    """`principals`: how the principal of each part of the loop begins, after ARN and account."""

    identify: Identify
    principals: Mapping[Automation, str]

    def name(self, caller: Caller | None) -> str:
        """``guard`` or ``probation``, the principal's ARN, or ``unproven``."""
        arn = self.identify(caller.proof) if caller else None
        if caller is None or arn is None:
            return UNPROVEN
        expected = self.principals.get(caller.acts_as, "") if caller.acts_as else ""
        is_part = bool(expected) and arn.split(":", 5)[-1].startswith(expected)
        return str(caller.acts_as) if is_part else arn

    def of_promotion(self, state: State) -> str:
        """Who approved the version, or started the execution; the gate if neither is proven."""
        approval = Approval.of(state.results)
        if approval is not None:
            return self.name(approval.caller)
        prepared = Prepared.of(state.results)
        if prepared is None:
            return self.name(state.input.caller)
        return GATE if prepared.started_by == UNPROVEN else prepared.started_by
