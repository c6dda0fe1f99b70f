"""Change what serves, in the name of somebody who signed in.

The function changes nothing itself: it starts an execution of the training machine, or answers one
that waits. Its proof says which role it has; the execution's input, or the answer, says for whom it
acts.
"""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from adapters import executions
from adapters.api.rest import Problem
from adapters.identity import sign_identity
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from adapters.task_token import TaskToken, TokenClosed
from domain import keys, times
from domain.errors import BadKey, BadRecord
from domain.model.actor import Caller
from domain.model.proposal import Proposal
from domain.training.steps import Approval

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The state machine, the stores that say what can be changed, and the function's identity."""

    states: "SFNClient"
    sts: Any
    machine_arn: str
    models: ModelStore
    reports: Bucket

    def roll_back(self, version: str | None, *, person: str, now: datetime) -> dict[str, str]:
        """Start the rollback to a version, or to the previous champion; raises Problem, BadRecord.

        The champion that it replaces is sent along, so that two calls don't go back twice.
        """
        champion = self.models.read_champion()
        if champion is None:
            raise _refuse("No champion serves yet.")
        if version is None:
            if champion.previous is None:
                raise _refuse("The first champion serves: there is none to go back to.")
            version = champion.previous.version
        self._check_version(version, champion.version)
        name = f"rollback-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        caller = self._act_for(person, name)
        document = {"promote_version": version, "replaces_seq": champion.seq, "caller": caller}
        executions.start(self.states, self.machine_arn, name=name, document=document)
        return {"version": version, "execution": name}

    def answer(
        self, version: str, *, approved: bool, reason: str, person: str, now: datetime
    ) -> dict[str, str]:
        """Answer the model that waits for an approval; raises Problem."""
        waiting = [p for p in self._list_waiting(times.to_millis(now)) if p.version == version]
        if not waiting:
            raise _refuse(f"Version {version} does not wait for an approval.")
        proposal = max(waiting, key=lambda found: found.proposed_at)
        said = f"Kept: an operator rejected the version: {reason}" if reason else ""
        caller = Caller.of(self._act_for(person, proposal.name))
        result = Approval(approved=approved, reason=said, caller=caller)
        try:
            TaskToken(self.states, proposal.token).succeed(result.to_dict())
        except TokenClosed:
            raise _refuse(f"Version {version} was answered before, or waits no longer.") from None
        return {"version": version, "execution": proposal.name}

    def _act_for(self, person: str, execution: str) -> dict[str, str]:
        proof = sign_identity(self.sts, execution)
        return Caller(proof=proof, acts_as="people", person=person).to_dict()

    def _check_version(self, version: str, serving: str) -> None:
        """Raise Problem unless there is such a model, and another one serves."""
        try:
            keys.check_version(version)
        except BadKey as error:
            raise Problem(HTTPStatus.BAD_REQUEST, "Bad version", str(error)) from None
        if version == serving:
            raise _refuse(f"Version {version} serves already.")
        if not self.models.bucket.exists(keys.bundle(version)):
            detail = "There is no such version; GET /models lists them."
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", detail)

    def _list_waiting(self, now: int) -> Iterator[Proposal]:
        for listed in self.reports.list(keys.PROPOSALS):
            with suppress(BadRecord):
                found = self.reports.read(listed.key, Proposal.from_json)
                if found and found.waits(now) and found.token:
                    yield found


def _refuse(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "Nothing to change", detail)
