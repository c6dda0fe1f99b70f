"""Compare a new champion with its predecessor on labelled rows, and take it back if it is worse.

Every scheduled run looks again. A verdict is stored before it is carried out; a run that is killed
in between is completed by the next one. The rollback is an execution of the state machine under a
name that belongs to the promotion, so there is one at most, and it replaces that promotion alone.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from adapters import executions
from adapters.events import EventBus
from adapters.identity import sign_identity
from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.performance import MINIMUM_LABELS, MINIMUM_POSITIVES
from domain.errors import BadBundle, BadRecord
from domain.mode import Mode
from domain.model.actor import Caller
from domain.model.bundle import Bundle
from domain.model.champion import Champion
from domain.model.probation import Answers, Probation
from domain.plural import write_count
from monitoring_job.probation.evidence import weigh_evidence
from tabular.labelled import LabelledRows, read_labelled
from tabular.log_objects import LogObjects
from tabular.models import Models

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

log = logging.getLogger(__name__)

MARGIN = 0.0
"""The predecessor must be better by more than that, as a difference of F1."""
ALPHA = 0.05
"""The largest probability that a champion which is no worse is ever called worse."""
MOST_ROWS = 20_000
"""Labelled rows that are scored again; of more, a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a stage wants: the mode, and for how long after a promotion."""

    mode: Mode
    days: int
    label_maturity_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The state machine, and the credentials that prove who starts its executions."""

    states: "SFNClient"
    sts: Any
    arn: str

    def roll_back(self, probation: Probation) -> None:
        """Start the rollback of a promotion, unless it was started before."""
        name = str(probation.execution)
        caller = Caller(proof=sign_identity(self.sts, name), acts_as="probation")
        document = {
            "promote_version": probation.predecessor,
            "replaces_seq": probation.seq,
            "reason": probation.reason,
            "caller": caller.to_dict(),
        }
        executions.start(self.states, self.arn, name=name, document=document)


def examine(
    *,
    now: int,
    rules: Rules,
    models: Models,
    log_objects: LogObjects,
    reports: Bucket,
    machine: Machine,
    bus: EventBus,
) -> Probation | None:
    """Look at the promotion that is on probation; returns what is known of it, None without one.

    `now`: UTC milliseconds.
    """
    if rules.mode == "off":
        return None
    _finish_pending(reports, machine, bus, rules.mode)
    champion = models.champion
    if champion is None or champion.action != "promote" or champion.previous is None:
        return None
    stored = _read(reports, keys.probation(champion.seq))
    if stored is not None and stored.is_over:
        return stored
    found = _look(
        stored or _begin(champion, rules), now=now, rules=rules, models=models, log_=log_objects
    )
    written = _store(reports, found)
    if written.is_pending:
        _carry_out(written, reports, machine, bus, rules.mode)
    return written


def _begin(champion: Champion, rules: Rules) -> Probation:
    days = rules.days + rules.label_maturity_days
    return Probation(
        seq=champion.seq,
        version=champion.version,
        predecessor=champion.previous.version if champion.previous else "",
        promoted_at=champion.promoted_at,
        ends_at=champion.promoted_at + days * times.DAY_MS,
        looked_at=champion.promoted_at,
    )


def _look(
    before: Probation, *, now: int, rules: Rules, models: Models, log_: LogObjects
) -> Probation:
    """Read all mature labelled rows since the promotion, and weigh what they say."""
    looked = replace(before, looked_at=now)
    mature = now - rules.label_maturity_days * times.DAY_MS
    end = min(mature, before.promoted_at + rules.days * times.DAY_MS)
    if end <= before.promoted_at:
        return replace(looked, reason="No label has matured since the promotion.")
    try:
        predecessor = models.bundle(before.predecessor)
        rows = read_labelled(
            log=log_,
            models=models,
            contract=predecessor.contract,
            start=before.promoted_at,
            end=end,
            now=now,
            most_rows=MOST_ROWS,
        )
    except BadBundle as error:
        sentence = f"Version {before.predecessor} can't be compared: {error}"
        return replace(looked, verdict="unknown", reason=sentence)
    if rows.coverage.unknown:
        return replace(looked, verdict="unknown", reason=rows.coverage.unknown)
    answers = count_answers(rows, before.version, predecessor)
    evidence = weigh_evidence(answers, margin=MARGIN, alpha=ALPHA)
    looked = replace(looked, labelled=answers.rows, lower=evidence.lower, verdict="open")
    enough = answers.rows >= MINIMUM_LABELS and answers.positives >= MINIMUM_POSITIVES
    if enough and evidence.rejected:
        return replace(
            looked,
            verdict="worse",
            reason=(
                f"On {write_count(answers.rows, 'labelled prediction')} since the promotion, the "
                f"F1 of version {before.predecessor} is higher than that of version "
                f"{before.version}, by at least {max(evidence.lower, 0):.3f} (confidence sequence, "
                f"{1 - ALPHA:.0%})."
            ),
            execution=f"probation-{before.seq}",
            is_pending=True,
        )
    if now >= before.ends_at:
        return replace(
            looked,
            verdict="passed",
            reason=(
                f"Version {before.version} has passed its probation: on "
                f"{write_count(answers.rows, 'labelled prediction')} the version before is not "
                "proven better."
            ),
            is_pending=True,
        )
    need = f"{MINIMUM_LABELS} labels with {MINIMUM_POSITIVES} positives"
    said = "the version before is not proven better" if enough else f"a verdict needs {need}"
    return replace(
        looked, reason=f"{write_count(answers.rows, 'labelled prediction')} so far: {said}."
    )


def count_answers(rows: LabelledRows, version: str, predecessor: Bundle) -> Answers:
    """Count the rows that `version` answered, with what `predecessor` answers to the same row."""
    counts: Counter[tuple[int, int, int]] = Counter()
    table = rows.table
    if table.num_rows:
        for served, answer, label, again in zip(
            table["model_version"].to_pylist(),
            table["predicted"].to_pylist(),
            rows.labels.tolist(),
            predecessor.probabilities([*_read_rows(table, predecessor)]),
            strict=True,
        ):
            if served == version:
                counts[int(label), int(again >= predecessor.threshold), int(answer)] += 1
    return Answers.of_rows(counts)


def _read_rows(table: pa.Table, bundle: Bundle) -> Iterator[tuple[Any, ...]]:
    """Each row's feature values in the order of the bundle's contract."""
    features = bundle.contract.features
    columns = [table[feature.column].to_pylist() for feature in features]
    for values in zip(*columns, strict=True):
        yield tuple(feature.cast(value) for feature, value in zip(features, values, strict=True))


def _store(reports: Bucket, found: Probation) -> Probation:
    """Write what was found, unless another run has decided meanwhile; returns what is stored."""
    written = found

    def merge(stored: bytes | None) -> bytes | None:
        nonlocal written
        before = _decode(stored)
        if before is not None and before.is_over:
            written = before
            return None
        written = found
        return found.to_json()

    reports.update(keys.probation(found.seq), merge)
    return written


def _finish_pending(reports: Bucket, machine: Machine, bus: EventBus, mode: Mode) -> None:
    """Complete what an earlier run decided and did not carry out, also of older promotions."""
    for listed in reports.list(keys.PROBATION):
        probation = _read(reports, listed.key)
        if probation is not None and probation.is_pending:
            _carry_out(probation, reports, machine, bus, mode)


def _carry_out(
    probation: Probation, reports: Bucket, machine: Machine, bus: EventBus, mode: Mode
) -> None:
    """Roll back in mode `auto`, publish the verdict, and note that both is done. Repeatable."""
    rolls_back = probation.verdict == "worse" and mode == "auto"
    if rolls_back:
        machine.roll_back(probation)
    detail = {**asdict(probation), "rolls_back": rolls_back}
    bus.publish("ProbationDecided", detail)
    reports.update(keys.probation(probation.seq), lambda _: probation.settled().to_json())


def _read(reports: Bucket, key: str) -> Probation | None:
    stored = reports.get(key)
    return _decode(stored.data if stored else None)


def _decode(stored: bytes | None) -> Probation | None:
    with suppress(BadRecord):
        return Probation.from_json(stored) if stored is not None else None
    log.warning("a record of the probation could not be decoded; it is written anew")
    return None
