"""Find out who stands behind an execution, by the proofs in its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.model.actor import GATE, UNPROVEN, Caller, Part
from domain.training.steps import Approval, Prepared
from training_job.inputs import State

Identify = Callable[[str], str | None]
"""A proof → the ARN of the principal that signed it for this execution, or None."""


@dataclass(frozen=True, slots=True)
class Actors:
    """`principals`: see `Caller.name`."""

    identify: Identify
    principals: Mapping[Part, str]

    def name(self, caller: Caller | None) -> str:
        """A part of the loop, a person, the principal's ARN, or ``unproven``."""
        if caller is None:
            return UNPROVEN
        return caller.name(self.identify(caller.proof), self.principals)

    def of_promotion(self, state: State) -> str:
        """Who approved the version, or started the execution; the gate if neither is proven."""
        approval = Approval.of(state.results)
        if approval is not None:
            return self.name(approval.caller)
        prepared = Prepared.of(state.results)
        if prepared is None:
            return self.name(state.input.caller)
        return GATE if prepared.started_by == UNPROVEN else prepared.started_by
