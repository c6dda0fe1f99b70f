"""The bucket: whole contents, 409 repeated, own writes recognised, updates that lose nothing."""

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from urllib3.exceptions import ProtocolError

from adapters import s3
from adapters.s3 import READS, UPDATES, WRITES, Bucket, Conflict, NotDeleted
from domain.errors import BadRecord
from tests.unit.fakes import answer_lost, client_error

KEY = "some/key"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_pause", lambda _: None)


def _cut(bucket: Bucket, times: int, error: Exception | None = None) -> list[str]:
    """Let the next `times` answers break off in the middle, or fail with `error` at their end."""
    get, reads = bucket.client.get_object, []

    class Altered(StreamingBody):
        def read(self, amt: int | None = None) -> bytes:
            data = super().read(amt)
            if error and (amt is None or not data):
                raise error
            return data

    def cut(**arguments: Any) -> Any:
        reads.append(arguments["Key"])
        answer = get(**arguments)
        if len(reads) <= times:
            data = answer["Body"].read()
            kept = data if error else data[: len(data) // 2]
            answer["Body"] = Altered(io.BytesIO(kept), len(data))
        return answer

    bucket.client.get_object = cut  # type: ignore[method-assign]
    return reads


@pytest.mark.parametrize("limit", [None, 10_000, 20_000])
@pytest.mark.parametrize("error", [None, FlexibleChecksumError(error_msg="made up")])
def test_a_content_that_breaks_off_or_is_altered_on_its_way_is_read_again(
    moto_bucket: Bucket, limit: int | None, error: Exception | None
) -> None:
    moto_bucket.put(KEY, bytes(10_000))
    reads = _cut(moto_bucket, READS - 1, error)
    stored = moto_bucket.get(KEY, limit=limit)
    assert stored is not None
    assert (10_000, READS) == (len(stored.data), len(reads))


def test_a_content_that_always_breaks_off_is_an_error_and_never_half_an_object(
    moto_bucket: Bucket,
) -> None:
    moto_bucket.put(KEY, bytes(10_000))
    _cut(moto_bucket, READS)
    with pytest.raises(IncompleteReadError):
        moto_bucket.get(KEY, limit=20_000)


@pytest.mark.parametrize(
    "error", [ProtocolError("broken within the body of a 404"), ResponseParserError("no XML")]
)
def test_an_answer_that_breaks_off_within_an_error_is_asked_for_again(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    get, broken = moto_bucket.client.get_object, [error] * (READS - 1)

    def break_off(**arguments: Any) -> Any:
        if broken:
            raise broken.pop()
        return get(**arguments)

    monkeypatch.setattr(moto_bucket.client, "get_object", break_off)
    assert moto_bucket.get(KEY) is None
    broken += [error] * READS
    with pytest.raises(type(error)):
        moto_bucket.get(KEY)


def test_beyond_the_limit_nothing_is_read(moto_bucket: Bucket) -> None:
    moto_bucket.put(KEY, bytes(10_000))
    stored = moto_bucket.get(KEY, limit=9_999)
    assert stored is not None
    assert 9_999 == len(stored.data)


def _decode(data: bytes) -> bytes:
    if data != b"good":
        raise BadRecord("damaged")
    return data


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ([b"good"], b"good"),
        ([b"go", b"good"], b"good"),
        ([b"go", b"oo", b"good"], b"good"),
        ([b"bad", b"bad"], BadRecord),
        ([b"bad", b"go", b"oo"], HTTPClientError),
        ([b"bad", None], None),
        ([None], None),
    ],
)
def test_only_equal_damage_twice_counts_as_damage(
    contents: list[bytes | None], expected: bytes | type[Exception] | None
) -> None:
    left = list(contents)

    class Client:
        def get_object(self, **_: str) -> Any:
            content = left.pop(0)
            if content is None:
                raise client_error("NoSuchKey")
            return {"Body": io.BytesIO(content), "ETag": "etag"}

    client: Any = Client()
    bucket = Bucket(client, "fake")
    if isinstance(expected, type):
        with pytest.raises(expected):
            bucket.read(KEY, _decode)
    else:
        assert expected == bucket.read(KEY, _decode)
    assert [] == left


def _answer_first(bucket: Bucket, errors: list[ClientError]) -> list[ClientError]:
    """Answer the next writes with these errors, without doing them."""
    put = bucket.client.put_object

    def refuse(**arguments: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return put(**arguments)

    bucket.client.put_object = refuse  # type: ignore[method-assign]
    return errors


@pytest.mark.parametrize("times", [1, WRITES - 1])
def test_409_asks_for_a_repetition_and_says_nothing_about_the_object(
    moto_bucket: Bucket, times: int
) -> None:
    left = _answer_first(moto_bucket, [client_error("ConditionalRequestConflict")] * times)
    moto_bucket.put_if(KEY, b"content", etag=None)
    stored = moto_bucket.get(KEY)
    assert (b"content", []) == (stored.data if stored else None, left)


def test_409_without_end_is_the_services_trouble_and_no_lost_race(moto_bucket: Bucket) -> None:
    _answer_first(moto_bucket, [client_error("ConditionalRequestConflict")] * WRITES)
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        moto_bucket.put_if(KEY, b"content", etag=None)


@pytest.mark.parametrize("before", [None, b"before"])
def test_a_write_whose_answer_was_lost_is_the_writers_own(
    moto_bucket: Bucket, before: bytes | None
) -> None:
    etag = moto_bucket.put(KEY, before) if before is not None else None
    answer_lost(moto_bucket, writes=[1])
    written = moto_bucket.put_if(KEY, b"mine", etag=etag)
    stored = moto_bucket.get(KEY)
    assert (b"mine", written) == ((stored.data, stored.etag) if stored else None)


@pytest.mark.parametrize(
    ("before", "etag"), [(b"theirs", None), (b"theirs", '"other"'), (None, '"other"')]
)
def test_over_another_state_nothing_is_written(
    moto_bucket: Bucket, before: bytes | None, etag: str | None
) -> None:
    if before is not None:
        moto_bucket.put(KEY, before)
    with pytest.raises(Conflict):
        moto_bucket.put_if(KEY, b"mine", etag=etag)
    stored = moto_bucket.get(KEY)
    assert before == (stored.data if stored else None)


def test_an_update_may_leave_the_object_and_gives_up_against_an_endless_rival(
    moto_bucket: Bucket,
) -> None:
    assert moto_bucket.update(KEY, lambda _: None) is None
    assert not moto_bucket.exists(KEY)
    seen = []

    def overtaken(content: bytes | None) -> bytes:
        seen.append(content)
        moto_bucket.put(KEY, f"rival {len(seen)}".encode())
        return b"mine"

    with pytest.raises(Conflict):
        moto_bucket.update(KEY, overtaken)
    assert UPDATES == len(seen)


def test_a_file_becomes_a_new_object_once(moto_bucket: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    assert moto_bucket.create(KEY, path)
    path.write_bytes(b"second")
    assert not moto_bucket.create(KEY, path)
    stored = moto_bucket.get(KEY)
    assert stored is not None
    assert b"first" == stored.data
    [listed] = moto_bucket.list("")
    assert stored.etag == listed.etag


def test_a_new_object_is_sent_again_as_long_as_s3_asks_for_it(
    moto_bucket: Bucket, tmp_path: Path
) -> None:
    path, put, sent = tmp_path / "file", moto_bucket.client.put_object, []
    path.write_bytes(b"whole")

    def refuse_once(**arguments: Any) -> Any:
        sent.append(arguments["Body"].read())
        if len(sent) == 1:
            raise client_error("ConditionalRequestConflict", "PutObject")
        arguments["Body"].seek(0)
        return put(**arguments)

    moto_bucket.client.put_object = refuse_once  # type: ignore[method-assign]
    assert moto_bucket.create(KEY, path)
    assert [b"whole", b"whole"] == sent


@pytest.mark.parametrize("size", [10, 9 << 20], ids=["one call", "parts"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_file_is_copied_only_over_what_the_writer_saw(
    moto_bucket: Bucket, tmp_path: Path, size: int, exists: bool
) -> None:
    path, seen = tmp_path / "a.csv", None
    path.write_bytes(b"x" * size)
    if exists:
        seen = moto_bucket.put("a", b"older")
    sent: list[tuple[str, str | None]] = []

    def record(model: Any, params: Any, **_: Any) -> None:
        headers = params["headers"]
        sent.append((model.name, headers.get("If-None-Match") or headers.get("If-Match")))

    moto_bucket.client.meta.events.register("before-call.s3", record)
    assert moto_bucket.upload_if(path, "a", etag=seen)
    whole = "PutObject" if size < 100 else "CompleteMultipartUpload"
    assert (whole, seen or "*") == sent[-1]
    assert all(condition is None for name, condition in sent[:-1])
    sent.clear()
    moto_bucket.upload(path, "b")
    assert all(condition is None for name, condition in sent)


@pytest.mark.parametrize("seen", [None, '"0"'], ids=["absent", "another"])
def test_a_file_is_not_copied_over_another_state(
    moto_bucket: Bucket, tmp_path: Path, seen: str | None
) -> None:
    (tmp_path / "a.csv").write_text("a")
    moto_bucket.put("a", b"another")
    assert not moto_bucket.upload_if(tmp_path / "a.csv", "a", etag=seen)
    stored = moto_bucket.get("a")
    assert stored is not None
    assert b"another" == stored.data
    if seen:
        moto_bucket.delete("a")
        assert not moto_bucket.upload_if(tmp_path / "a.csv", "a", etag=seen)


def test_many_objects_are_removed_and_one_that_is_gone_is_no_error(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MOST_DELETED", 2)
    for number in range(5):
        moto_bucket.put(str(number), b"")
    moto_bucket.delete_all(["0", "1", "2", "3", "never"])
    assert ["4"] == [entry.key for entry in moto_bucket.list("")]


def test_objects_that_s3_does_not_remove_are_an_error(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {"Errors": [{"Key": "a", "Code": "AccessDenied"}]}
    monkeypatch.setattr(moto_bucket.client, "delete_objects", lambda **_: errors)
    with pytest.raises(NotDeleted, match="1 object: AccessDenied"):
        moto_bucket.delete_all(["a"])
