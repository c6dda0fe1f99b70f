"""What must hold after every story, counted from what is stored: nothing wrong, lost or doubled."""

import json
from collections import Counter
from dataclasses import dataclass

from adapters import executions
from adapters.s3 import Bucket
from domain import keys
from domain.drift.alert_state import AlertState
from domain.drift.drift_request import RequestRecord
from domain.drift.run_index import RunIndex
from domain.drift.summary import Summary
from domain.errors import DomainError
from domain.model.consistency import find_ledger_problems
from ops.commands.mail import read_mails
from ops.laptop import Laptop
from tests.faults.story import Clients, Story, read_lines, read_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a fault may cost.

    `mails`: copies of one mail; one more for each lost answer of a mail that was sent, because SES
    can't be asked, and for a run that is killed between sending and noting it.
    """

    mails: int = 1


def find_problems(
    story: Story, *, direct: Clients, laptop: Laptop, allowed: Allowed, mails: int
) -> list[str]:
    """A sentence for everything that is wrong, lost or doubled; `mails`: how many are due."""
    bucket = Bucket(direct.s3, story.site.bucket)
    return [
        *(f"A part failed for good: {failure}" for failure in story.failed),
        *_champion_problems(bucket, story),
        *_run_problems(bucket),
        *_mail_problems(bucket, story, laptop, allowed, mails),
        *_request_problems(bucket, story),
        *_label_problems(bucket, story),
        *_training_problems(direct, story),
    ]


def _champion_problems(bucket: Bucket, story: Story) -> list[str]:
    """Pointer, ledger and registry tell one story, in which each execution acts once at most."""
    store = read_store(bucket)
    champion = store.read_champion()
    if champion is None:
        return [] if not store.list_ledger() else ["The ledger has entries, but nothing serves."]
    entries = [store.read_entry(entry.key) for entry in bucket.list(keys.LEDGER)]
    problems = find_ledger_problems(champion, entries)
    acted = Counter(entry.execution for entry in entries)
    problems += [f"{name} promoted {n} times." for name, n in acted.items() if n > 1]
    store.load_bundle(champion.model)
    number = keys.registry_number(champion.version)
    if story.registry.alias != number:
        problems.append(f"The alias names {story.registry.alias}, the pointer {number}.")
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


def _mail_problems(
    bucket: Bucket, story: Story, laptop: Laptop, allowed: Allowed, due: int
) -> list[str]:
    """Each announcement reaches the mailbox, once, and none stays pending."""
    own = [mail for mail in read_mails(laptop) if mail.subject.startswith(f"[{story.site.name}]")]
    sent = Counter(mail.subject for mail in own)
    problems = [
        f"The mail {subject!r} was sent {count} times."
        for subject, count in sent.items()
        if count > allowed.mails
    ]
    if len(sent) != due:
        problems.append(f"{len(sent)} of {due} mails were sent: {sorted(sent)}.")
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


def _label_problems(bucket: Bucket, story: Story) -> list[str]:
    """Every acknowledged line is stored whole; a repetition has the same id, so it counts once."""
    stored = read_lines(bucket, ("labels/", keys.FALLBACK))
    known = set(story.acknowledged)
    torn = [line for line in stored if line not in known]
    lost = known - set(stored)
    ids = Counter(json.loads(line)["prediction_id"] for line in known)
    problems = [f"{len(lost)} acknowledged labels are lost."] if lost else []
    problems += [f"{len(torn)} stored lines were never sent."] if torn else []
    return problems + [f"{i} was acknowledged twice." for i, n in ids.items() if n > 1]


def _training_problems(direct: Clients, story: Story) -> list[str]:
    found = list(executions.newest_first(direct.states, story.site.machine_arn, limit=100))
    return [] if len(found) <= 1 else [f"One detection started {len(found)} trainings."]
