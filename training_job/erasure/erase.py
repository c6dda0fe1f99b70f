"""Erase: take some people's rows out of every version of every object of the four buckets.

1. Find their predictions in the log, and keep the ids: labels and scores are found by them.
2. Go through all objects. The latest version is replaced by one without their rows, by
   compare-and-swap; old versions that hold rows are deleted.
3. Wait for what Firehose still holds, and for executions that have read rows before.
4. Go through what has been written since. Repeat until a pass finds nothing.
5. Withdraw merged objects of the logs whose sources are there and have changed.
6. Write the certificate, then delete the subject file and all that names a prediction.

Nothing depends on a memory of this process: started again, it finds the same or less to do.
"""

import hashlib
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from pathlib import Path

from adapters.s3 import Bucket, Conflict
from adapters.s3_versions import (
    MAXIMUM_BYTES,
    UNVERSIONED,
    Version,
    delete,
    download,
    list_versions,
    replace,
)
from domain import keys
from domain.contract.contract import Contract
from domain.erasure import Certificate, ErasedObject, Unfinished
from domain.plural import write_count
from domain.training.steps import Erased
from training_job.erasure import rewriting
from training_job.erasure.erase_request import EraseRequest
from training_job.erasure.journal import Journal, Links, find_unfinished
from training_job.erasure.links import find_links
from training_job.erasure.marks import mark
from training_job.erasure.wanted import Wanted
from training_job.erasure.withdrawing import withdraw_stale
from training_job.errors import BadInput

PARALLEL = 8
"""Objects of up to SMALL_BYTES that are worked on at a time; larger ones go one after the other."""
SMALL_BYTES = 4 * 1024 * 1024
SAY_SECONDS = 30.0
NAMED_AFTER = "its name holds an identifier of theirs: copy it to another name and delete it"
NO_SUBJECT = (
    'The contract has no context column with role = "subject", so no row says whom it is about:'
    " declare one in contract.toml and deploy it, then erase."
)
Place = tuple[str, str, str, str]
"""Bucket, key, version id and ETag: content that never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Where rows may be."""

    data: Bucket
    models: Bucket
    predictions: Bucket
    reports: Bucket

    def __iter__(self) -> Iterator[tuple[str, Bucket]]:
        """In this order: the log, by which everything else is found, comes last."""
        for name in ("data", "models", "reports", "predictions"):
            yield name, getattr(self, name)


def erase(
    *,
    request: EraseRequest,
    contract: Contract,
    buckets: Buckets,
    execution: str,
    settle: Callable[[], None],
    say: Callable[[str], None],
    list_at_work: Callable[[], Collection[str]] = frozenset,
) -> Erased:
    """Erase, or say what would be erased; returns counts.

    `settle` waits for those who may still write rows from before: it is called after each pass
    that changed something. `list_at_work`: names of the other erasures that run now; one that
    doesn't, and hasn't ended, is completed too. Raises BadInput.
    """
    journal = Journal(buckets.data, request.erasure, request.dry_run)
    if contract.context_column("subject") is None:
        journal.clear()
        raise BadInput(NO_SUBJECT)
    done = journal.read_certificate()
    if done is not None:
        journal.clear()
        return _summarise(done)
    subjects = journal.read_subjects()
    if subjects is None:
        raise BadInput(f"{request.subjects} is not there: start the erasure anew.")
    found = find_unfinished(buckets.data, {request.erasure, *list_at_work()})
    others = [] if request.dry_run else [other for other in found if not other.dry_run]
    links = journal.read_links()
    for other in others:
        say(f"completing the erasure {other.erasure} too, which ended before its end")
        subjects |= other.read_subjects() or frozenset()
        links = links.union(other.read_links())
    run = _Run(
        buckets=buckets,
        contract=contract,
        journal=journal,
        subjects=subjects,
        links=links,
        dry_run=request.dry_run,
        say=say,
    )
    began = _now()
    run.find_links()
    settled = request.dry_run
    while run.work_through() or not settled:
        if request.dry_run:
            break
        settle()
        settled = True
        run.find_links()
    certificate = run.certify(execution=execution, began=began, completed=others)
    journal.finish(certificate, () if request.dry_run else run.links.predictions)
    for other in found:
        if other.dry_run or not request.dry_run:
            other.clear()
    say(f"the certificate is {keys.erasure_certificate(request.erasure)}")
    return _summarise(certificate)


@dataclass(slots=True)
class _Run:
    buckets: Buckets
    contract: Contract
    journal: Journal
    subjects: frozenset[str]
    links: Links
    dry_run: bool
    say: Callable[[str], None]
    checked: set[Place] = field(default_factory=set)
    planned: list[ErasedObject] = field(default_factory=list)
    problems: dict[tuple[str, str, str], Unfinished] = field(default_factory=dict)

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.subjects, self.links.predictions, self.links.own_references)

    def find_links(self) -> None:
        """Look for further predictions of theirs; with new ones, everything is checked again."""
        wanted = Wanted(self.subjects)
        found = find_links(self.buckets.predictions, wanted, self.links)
        if found == self.links:
            return
        if not self.dry_run:
            self.journal.write_links(found)
        self.links = found
        self.checked.clear()
        self.say(f"in the log: {write_count(len(found.predictions), 'prediction')} of theirs")

    def work_through(self) -> bool:
        """Check every version that hasn't been checked; returns whether anything was theirs."""
        wanted, said, seen, found = self.wanted, time.monotonic(), 0, False
        for changed in self._check_all(wanted):
            seen += 1
            found |= changed
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self.say(f"{write_count(seen, 'object version')} checked")
        versions = write_count(seen, "object version")
        self.say(f"all checked: {versions}" if seen else "nothing is new")
        return found

    def _check_all(self, wanted: Wanted) -> Iterator[bool]:
        with ThreadPoolExecutor(PARALLEL) as pool:
            ahead: deque[Future[bool]] = deque()
            for name, version in self._unchecked():
                if version.size > SMALL_BYTES:
                    yield self._check(name, version, wanted)
                    continue
                ahead.append(pool.submit(self._check, name, version, wanted))
                if len(ahead) > 2 * PARALLEL:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _unchecked(self) -> Iterator[tuple[str, Version]]:
        for name, bucket in self.buckets:
            for version in list_versions(bucket):
                own = name == "data" and version.key.startswith(keys.ERASURES)
                if version.size and not own and _place(name, version) not in self.checked:
                    yield name, version

    def _check(self, name: str, version: Version, wanted: Wanted) -> bool:
        """Look at one version, and take their rows out; returns whether it had any."""
        bucket = getattr(self.buckets, name)
        if version.is_latest and wanted.mask(version.key) != version.key:
            self._note_problem(name, version, NAMED_AFTER)
        with tempfile.TemporaryDirectory(prefix="erase-") as folder:
            source, target = Path(folder) / "source", Path(folder) / "target"
            if not download(bucket, version, source):
                return False
            found = rewriting.examine(source, version.key, wanted, self.contract)
            problem = found.problem
            if found and version.is_latest and version.size > MAXIMUM_BYTES:
                problem = "it is larger than what one conditional write can replace"
            if problem:
                self._note_problem(name, version, problem)
            if problem or not found:
                self.checked.add(_place(name, version))
                return False
            rows = found.rows
            if version.is_latest and not found.whole:
                rows = rewriting.rewrite(source, target, version.key, wanted, self.contract)
            entry = ErasedObject(
                bucket=name,
                key=version.key,
                version_id=version.version_id,
                rows=rows,
                sha256_before=_hash(source),
                sha256_after=_hash(target) if target.exists() else None,
            )
            if self.dry_run:
                self.planned.append(entry)
                self.checked.add(_place(name, version))
                return True
            self.journal.note(entry)
            self._change(bucket, version, entry, target)
        return True

    def _note_problem(self, name: str, version: Version, reason: str) -> None:
        self.problems[name, version.key, reason] = Unfinished(
            bucket=name, key=version.key, version_id=version.version_id, reason=reason
        )

    def _change(self, bucket: Bucket, version: Version, entry: ErasedObject, target: Path) -> None:
        """Replace the version and delete what it was; another writer's is left to the next pass."""
        if target.exists():
            try:
                replace(bucket, version, target)
            except Conflict:
                self.journal.forget(entry)
                return
            self._mark([entry])
            if version.version_id == UNVERSIONED:
                return  # the new one took its place, unless versions are kept by now
        delete(bucket, version)

    def certify(self, *, execution: str, began: int, completed: Sequence[Journal]) -> Certificate:
        """What was done, in this attempt, in earlier ones, and by the erasures it completed."""
        if self.dry_run:
            entries = self.planned
        else:
            journals = (
                *completed,
                self.journal,
            )  # of two entries about a version the own one counts
            noted = {one.version: one for each in journals for one in each.read_objects()}
            entries = list(noted.values())
            self._mark(entries)
            for key in withdraw_stale(self.buckets.predictions, entries):
                self.say(f"{key} is withdrawn: what it was made of is there, and has changed")
        ordered = sorted(entries, key=lambda one: (one.bucket, one.key, one.version_id))
        problems, mask = [self.problems[what] for what in sorted(self.problems)], self.wanted.mask
        return Certificate(
            erasure=self.journal.erasure,
            execution=execution,
            dry_run=self.dry_run,
            began_at=began,
            finished_at=_now(),
            subjects=len(self.subjects),
            predictions=len(self.links.predictions),
            shared_references=len(self.links.shared),
            objects=tuple(replace_fields(one, key=mask(one.key)) for one in ordered),
            unfinished=tuple(replace_fields(one, key=mask(one.key)) for one in problems),
        )

    def _mark(self, entries: Iterable[ErasedObject]) -> None:
        mark(
            entries,
            data=self.buckets.data,
            models=self.buckets.models,
            erasure=self.journal.erasure,
            now=_now(),
        )


def _summarise(certificate: Certificate) -> Erased:
    objects = certificate.objects
    return Erased(
        erasure=certificate.erasure,
        dry_run=certificate.dry_run,
        subjects=certificate.subjects,
        predictions=certificate.predictions,
        rows=sum(one.rows for one in objects),
        objects=sum(one.sha256_after is not None for one in objects),
        versions=sum(one.sha256_after is None for one in objects),
        unfinished=len(certificate.unfinished),
    )


def _place(bucket: str, version: Version) -> Place:
    return bucket, version.key, version.version_id, version.etag


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _now() -> int:
    return int(time.time() * 1000)
