"""Replacing one version of an object: by ourselves, by a rival, and with a lost answer."""

from pathlib import Path

import pytest

from adapters.s3 import Bucket, Conflict
from adapters.s3_versions import Version, erase_key, list_versions, replace
from tests.unit.fakes import answer_lost

KEY = "log/a.csv"


@pytest.fixture
def version(moto_bucket: Bucket) -> Version:
    moto_bucket.put(KEY, b"before", content_type="text/csv")
    (found,) = list_versions(moto_bucket)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "after"
    file.write_bytes(b"after")
    return file


def _read(bucket: Bucket) -> bytes | None:
    stored = bucket.get(KEY)
    return stored.data if stored else None


@pytest.mark.parametrize("lost", [[], [1]], ids=["answered", "the answer is lost"])
def test_a_version_is_replaced_and_its_content_type_stays(
    moto_bucket: Bucket, version: Version, path: Path, lost: list[int]
) -> None:
    answer_lost(moto_bucket, writes=lost)
    replace(moto_bucket, version, path)
    assert b"after" == _read(moto_bucket)
    head = moto_bucket.client.head_object(Bucket=moto_bucket.name, Key=KEY)
    assert "text/csv" == head["ContentType"]


def test_a_version_that_is_gone_is_not_written_again(
    moto_bucket: Bucket, version: Version, path: Path
) -> None:
    erase_key(moto_bucket, KEY)
    with pytest.raises(Conflict):
        replace(moto_bucket, version, path)
    assert not moto_bucket.exists(KEY)


def test_a_rival_is_not_overwritten(moto_bucket: Bucket, version: Version, path: Path) -> None:
    moto_bucket.put(KEY, b"rival")
    with pytest.raises(Conflict):
        replace(moto_bucket, version, path)
    assert b"rival" == _read(moto_bucket)
