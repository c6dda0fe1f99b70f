"""A version's three objects are written once, wherever the process is killed."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.model.champion import ModelRef
from tests.cards import make_card
from training_job.evaluation import release

CONTENT, REFERENCE = b"a bundle", pa.table({"age": [50.0]})
MODEL = ModelRef.of(1, "1" * 64)
CARD = make_card(MODEL.version)
OBJECTS = {keys.reference(MODEL.version), keys.card(MODEL.version), MODEL.bundle_key}


class Killed(BaseException):
    """The process ends here: nothing catches it."""


class DyingBucket(Bucket):
    """A bucket at whose n-th write the process dies, before or after it."""

    __slots__ = ("after", "left")
    left: int
    after: bool

    @classmethod
    def of(cls, bucket: Bucket, number: int, *, after: bool) -> "DyingBucket":
        """A bucket that lets `number` writes pass; the next one is the last."""
        made = cls(bucket.client, bucket.name)
        object.__setattr__(made, "left", number)
        object.__setattr__(made, "after", after)
        return made

    def put_if(self, key: str, data: bytes, **options: Any) -> str:
        object.__setattr__(self, "left", self.left - 1)
        if self.left < 0 and not self.after:
            raise Killed
        etag = Bucket.put_if(self, key, data, **options)
        if self.left < 0:
            raise Killed
        return etag


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_a_killed_export_is_completed_and_what_was_written_stays(
    moto_bucket: Bucket, number: int, after: bool
) -> None:
    with pytest.raises(Killed):
        release.store(
            DyingBucket.of(moto_bucket, number, after=after), MODEL, CONTENT, REFERENCE, CARD
        )
    before = _read(moto_bucket)
    assert number + after == len(before)
    # The repeated step registers at another time.
    later = replace(CARD, registered_at=CARD.registered_at + 1)
    release.store(moto_bucket, MODEL, CONTENT, REFERENCE, later)
    found = _read(moto_bucket)
    assert OBJECTS == set(found)
    assert before == {key: found[key] for key in before}


def _read(bucket: Bucket) -> dict[str, bytes]:
    stored = {listed.key: bucket.get(listed.key) for listed in bucket.list(keys.BUNDLES)}
    return {key: entry.data for key, entry in stored.items() if entry}


def test_the_bundle_is_written_last_so_that_a_version_that_has_one_has_all(
    moto_bucket: Bucket,
) -> None:
    with pytest.raises(Killed):
        release.store(
            DyingBucket.of(moto_bucket, len(OBJECTS) - 1, after=False),
            MODEL, CONTENT, REFERENCE, CARD,
        )  # fmt: skip
    assert OBJECTS - {MODEL.bundle_key} == set(_read(moto_bucket))
