"""What must hold after every story, counted from what is stored: nothing wrong, lost or doubled."""

import json
from collections import Counter
from dataclasses import dataclass

from adapters import executions
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.records import LabelRecord, PredictionRecord
from domain.drift.alert_state import AlertState
from domain.drift.drift_request import RequestRecord
from domain.drift.retraining import Decision
from domain.drift.run_index import RunIndex
from domain.drift.summary import Summary
from domain.errors import DomainError
from domain.model.consistency import find_ledger_problems
from ops.commands.machine.mail import read_mails
from ops.laptop import Laptop
from tests.faults.site import Clients
from tests.faults.story import HOUR, Story, read_lines, read_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a fault may cost.

    `mails`: copies of one mail; one more for each lost answer of a mail that was sent, because SES
    can't be asked, and for a run that is killed between sending and noting it.
    """

    mails: int = 1


def find_problems(story: Story, *, direct: Clients, laptop: Laptop, allowed: Allowed) -> list[str]:
    """A sentence for everything that is wrong, lost or doubled."""
    bucket = Bucket(direct.s3, story.site.name)
    return [
        *(f"A part failed for good: {failure}" for failure in story.failed),
        *_champion_problems(bucket, story, direct),
        *_run_problems(bucket),
        *_mail_problems(bucket, story, laptop, allowed),
        *_request_problems(bucket, story),
        *_prediction_problems(bucket, story),
        *_label_problems(bucket, story),
        *_count_problems(bucket, story),
        *_training_problems(bucket, direct, story),
    ]


def _champion_problems(bucket: Bucket, story: Story, direct: Clients) -> list[str]:
    """Pointer, ledger and registry tell one story, in which each execution acts once at most."""
    store = read_store(bucket)
    champion = store.read_champion()
    if champion is None:
        return [] if not store.list_ledger() else ["The ledger has entries, but nothing serves."]
    entries = [store.read_entry(entry.key) for entry in bucket.list(keys.LEDGER)]
    problems = find_ledger_problems(champion, entries, operator="ops")
    acted = Counter(entry.execution for entry in entries)
    problems += [f"{name} promoted {n} times." for name, n in acted.items() if n > 1]
    store.load_bundle(champion.model)
    number = keys.registry_number(champion.version)
    alias = story.site.registry(direct).champion()
    if alias != number:
        problems.append(f"The alias names {alias}, the pointer {number}.")
    return problems


def _run_problems(bucket: Bucket) -> list[str]:
    """Every run with a summary is in the index once, and says there what its summary says."""
    summaries = {}
    for entry in bucket.list(keys.RUNS):
        if entry.key.endswith("/summary.json"):
            stored = bucket.get(entry.key)
            found = Summary.from_json(stored.data if stored else b"")
            summaries[found.run_id] = found
    stored = bucket.get(keys.RUN_INDEX)
    index = RunIndex.from_json(stored.data) if stored else RunIndex()
    listed = Counter(entry.run_id for entry in index.entries)
    problems = [f"Run {run} is in the index {n} times." for run, n in listed.items() if n > 1]
    problems += [f"Run {run} is missing in the index." for run in summaries if run not in listed]
    problems += [
        f"The index says of {entry.run_id}: mail {entry.mail}, its summary"
        f" {summaries[entry.run_id].mail}."
        for entry in index.entries
        if entry.run_id not in summaries or entry.mail != summaries[entry.run_id].mail
    ]
    return problems


def _mail_problems(bucket: Bucket, story: Story, laptop: Laptop, allowed: Allowed) -> list[str]:
    """Each announcement reaches the mailbox, once, and none stays pending."""
    own = [mail for mail in read_mails(laptop) if story.site.recipient in mail.recipients]
    sent = Counter(mail.subject for mail in own)
    problems = [
        f"The mail {subject!r} was sent {count} times."
        for subject, count in sent.items()
        if count > allowed.mails
    ]
    if len(sent) != story.mails:
        problems.append(f"{len(sent)} of {story.mails} mails were sent: {sorted(sent)}.")
    stored = bucket.get(keys.ALERT_STATE)
    pending = AlertState.from_json(stored.data).pending if stored else ()
    problems += [f"Still pending: {announcement}." for announcement in pending]
    return problems


def _request_problems(bucket: Bucket, story: Story) -> list[str]:
    problems = []
    for entry in bucket.list(keys.REQUESTS):
        stored = bucket.get(entry.key)
        try:
            record = RequestRecord.from_json(stored.data if stored else b"")
        except DomainError as error:
            problems.append(f"{entry.key}: {error}")
            continue
        if record.status != "done" or len(record.run_ids) != 1:
            problems.append(f"{entry.key} is {record.status} with {len(record.run_ids)} runs.")
    if len(set(story.on_demand)) > 1:
        problems.append(f"One request was run by {sorted(set(story.on_demand))}.")
    return problems


def _prediction_problems(bucket: Bucket, story: Story) -> list[str]:
    """Every answered prediction is in the log as it was answered; a repetition has the same id."""
    logged: dict[str, set[tuple[float, str]]] = {}
    problems = []
    for line in read_lines(bucket, ("log/", f"{keys.FALLBACK}log/")):
        try:
            record = PredictionRecord.from_row(json.loads(line))
        except (ValueError, KeyError):
            problems.append("A line of the log is torn.")
            continue
        found = logged.setdefault(record.prediction_id, set())
        found.add((record.probability, record.model_version))
    problems += [
        f"Prediction {answer.id} was answered and is not in the log."
        for answer in story.answered
        if (answer.probability, answer.version) not in logged.get(answer.id, set())
    ]
    ids = Counter(answer.id for answer in story.answered)
    return problems + [f"{i} was answered twice." for i, n in ids.items() if n > 1]


def _label_problems(bucket: Bucket, story: Story) -> list[str]:
    """Every acknowledged label is stored whole; a repetition has the same id, so it counts once."""
    stored: dict[str, set[bool]] = {}
    problems = []
    for line in read_lines(bucket, ("labels/", f"{keys.FALLBACK}labels/")):
        try:
            record = LabelRecord.from_row(json.loads(line))
        except (ValueError, KeyError):
            problems.append("A line of the labels is torn.")
            continue
        stored.setdefault(record.prediction_id or "", set()).add(record.label)
    lost = story.labelled - set(stored)
    problems += [f"{len(lost)} acknowledged labels are lost."] if lost else []
    return problems + [f"{i} has two outcomes." for i, found in stored.items() if len(found) > 1]


def _count_problems(bucket: Bucket, story: Story) -> list[str]:
    """The drift run over the predictor's answers counts each prediction and label once."""
    start = times.to_millis(story.began - HOUR)
    found = [
        Summary.from_json(stored.data)
        for entry in bucket.list(keys.RUNS)
        if entry.key.endswith("/summary.json") and (stored := bucket.get(entry.key))
    ]
    found = [run for run in found if run.start == start]
    if not found:
        return []
    run, problems, answered = found[-1], [], len(story.answered)
    if run.rows.distinct != answered:
        problems.append(f"The drift run counts {run.rows.distinct} of {answered} predictions.")
    labelled = run.performance.labelled if run.performance else 0
    if labelled != len(story.labelled):
        problems.append(f"The drift run counts {labelled} of {len(story.labelled)} labels.")
    return problems


def _training_problems(bucket: Bucket, direct: Clients, story: Story) -> list[str]:
    """Of two detections one starts a training, and each has a decision."""
    found = list(executions.newest_first(direct.states, story.site.machine_arn, limit=100))
    stored = [bucket.get(entry.key) for entry in bucket.list(keys.RETRAINING)]
    decisions = [Decision.from_json(entry.data) for entry in stored if entry]
    problems = [f"Two detections started {len(found)} trainings."] if len(found) > 1 else []
    named = {decision.execution for decision in decisions if decision.execution}
    started = {execution.arn.rpartition(":")[2] for execution in found}
    return problems + [f"{named} were decided, {started} started."] * (named != started)
