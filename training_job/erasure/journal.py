"""What an erasure has found and done so far, in the data bucket: it survives an interruption.

The journal holds ids of predictions and is deleted at the end. What is left is the certificate, and
the hashes by which `ops trace` tells an erased prediction from an unknown one.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from adapters.s3 import Bucket
from adapters.s3_versions import erase_key
from domain import keys, typed_json
from domain.erasure import Certificate, ErasedObject, hash_prediction
from domain.errors import BadKey, BadRecord
from training_job.erasure.erase_request import read_subjects
from training_job.errors import BadInput


@dataclass(frozen=True, slots=True)
class Links:
    """Ids of the subjects' predictions, and their references; `shared`: those of others too."""

    predictions: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    @property
    def own_references(self) -> frozenset[str]:
        """References that only they have."""
        return self.references - self.shared

    def union(self, other: "Links") -> "Links":
        """All that either knows."""
        return Links(
            self.predictions | other.predictions,
            self.references | other.references,
            self.shared | other.shared,
        )


@dataclass(frozen=True, slots=True)
class _StoredLinks:
    """`Links` as JSON."""

    predictions: tuple[str, ...]
    references: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """That of one erasure, or of a dry run, which has a subject file only."""

    data: Bucket
    erasure: str
    dry_run: bool = False

    @property
    def subject_file(self) -> str:
        """Its key."""
        return keys.erasure_subjects(self.erasure, dry_run=self.dry_run)

    def read_subjects(self) -> frozenset[str] | None:
        """Whom the file names; None when it is gone. Raises BadInput."""
        stored = self.data.get(self.subject_file)
        return read_subjects(stored.data) if stored else None

    def read_links(self) -> Links:
        """What an earlier attempt had found."""
        key = keys.erasure_links(self.erasure)
        stored = self.data.get(key)
        if stored is None:
            return Links()
        try:
            found = typed_json.from_json(_StoredLinks, stored.data)
        except BadRecord as error:
            raise BadInput(
                f"{key} can't be read: {error} Restore an earlier version of it, which the bucket"
                " keeps; without it, labels and scores of erased rows would stay."
            ) from None
        return Links(*(frozenset(getattr(found, name)) for name in Links.__slots__))

    def write_links(self, links: Links) -> None:
        """Keep them before any row is erased, since the rows are where they are known from."""
        found = {name: tuple(sorted(getattr(links, name))) for name in Links.__slots__}
        self._put(keys.erasure_links(self.erasure), typed_json.to_json(_StoredLinks(**found)))

    def note(self, entry: ErasedObject) -> None:
        """Say what will be done to a version of an object, before it is done."""
        self._put(self._object_key(entry), typed_json.to_json(entry))

    def forget(self, entry: ErasedObject) -> None:
        """Take it back, since another writer was faster."""
        erase_key(self.data, self._object_key(entry))

    def read_objects(self) -> Iterator[ErasedObject]:
        """All that was noted."""
        for listed in self.data.list(keys.erasure_objects(self.erasure)):
            stored = self.data.get(listed.key)
            if stored is not None:
                yield typed_json.from_json(ErasedObject, stored.data)

    def _object_key(self, entry: ErasedObject) -> str:
        digest = hashlib.sha256("\n".join(entry.version).encode()).hexdigest()[:32]
        return f"{keys.erasure_objects(self.erasure)}{digest}.json"

    def read_certificate(self) -> Certificate | None:
        """That of an erasure which has ended; raises BadRecord."""
        return self.data.read(keys.erasure_certificate(self.erasure), Certificate.from_json)

    def finish(self, certificate: Certificate, predictions: Iterable[str]) -> None:
        """Write what stays, then delete what doesn't, old versions included."""
        hashes = sorted(hash_prediction(one) for one in predictions)
        self._put(keys.erased_predictions(self.erasure), json.dumps(hashes).encode())
        self._put(keys.erasure_certificate(self.erasure), certificate.to_json())
        self.clear()

    def clear(self) -> None:
        """Delete whatever names a person or a prediction; the subject file last."""
        for listed in list(self.data.list(keys.erasure_objects(self.erasure))):
            erase_key(self.data, listed.key)
        erase_key(self.data, keys.erasure_links(self.erasure))
        erase_key(self.data, self.subject_file)

    def _put(self, key: str, content: bytes) -> None:
        self.data.put(key, content, content_type="application/json")


def find_unfinished(data: Bucket, at_work: Collection[str]) -> list[Journal]:
    """Erasures and dry runs that ended before their end: their subject file is still there.

    `at_work`: names of those that haven't ended.
    """
    found = []
    for listed in data.list(keys.ERASURES):
        try:
            erasure, dry_run = keys.parse_erasure_subjects(listed.key)
        except BadKey:
            continue
        if erasure not in at_work:
            found.append(Journal(data, erasure, dry_run))
    return found
