"""After an erasure nothing of the people is left in any version of any object; all else is."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adapters import s3_versions
from adapters.s3 import Bucket
from adapters.s3_versions import Version
from domain import keys
from domain.api.inspection import PredictionView
from domain.contract.contract import Contract
from domain.erasure import Certificate
from domain.model.card import ModelCard
from tests.repository import CONTRACT_TOML
from tests.unit.training_job.erasure.world import (
    CONTRACT,
    DAY,
    DRY_RUN,
    ERASURE,
    FRAME,
    HASHES,
    HE,
    LATER,
    REQUEST,
    SHE,
    SOMEBODY,
    ask,
    decode,
    fill,
    find_traces,
    label,
    make_buckets,
    parquet,
    prediction_id,
    read_all,
    read_latest,
    record,
    rows_of,
    run,
)
from training_job.dataset.dataset import Split
from training_job.erasure.erase import Buckets, erase
from training_job.erasure.erase_request import EraseRequest, read_subjects
from training_job.errors import BadInput

HERS = [SHE, "her-own-visit", *(prediction_id(n) for n in (20, 21, 24, 26))]


@pytest.fixture
def buckets(moto_aws: None) -> Buckets:
    return make_buckets()


@pytest.fixture
def filled(buckets: Buckets) -> str:
    """The id of the dataset."""
    return fill(buckets)


def certificate(buckets: Buckets) -> Certificate:
    stored = buckets.data.get(keys.erasure_certificate(ERASURE))
    assert stored is not None
    return Certificate.from_json(stored.data)


def test_nothing_of_them_is_left_in_any_version_of_any_object(
    buckets: Buckets, filled: str
) -> None:
    scored = {str(row["prediction_id"]) for row in _log_rows(buckets) if row["subject"] == SHE}
    assert len(find_traces(buckets, SHE)) > 12
    ask(buckets, SHE)
    run(buckets)
    assert [] == find_traces(buckets, *HERS, *scored)


def _log_rows(buckets: Buckets) -> Iterator[dict[str, object]]:
    for listed in buckets.predictions.list("log/"):
        stored = buckets.predictions.get(listed.key)
        assert stored is not None
        yield from pq.read_table(io.BytesIO(stored.data)).to_pylist()


def test_every_other_row_is_unchanged(buckets: Buckets, filled: str) -> None:
    before = read_latest(buckets)
    hers = {str(row["prediction_id"]) for row in _log_rows(buckets) if row["subject"] == SHE}
    ask(buckets, SHE)
    run(buckets)
    after = read_latest(buckets)
    gone = {("predictions", f"{keys.ATHENA}features.csv")}
    assert gone == {place for place in before if place not in after}
    compared = 0
    for place in before.keys() - gone:
        if place[1].endswith((".html", "/rows.json", "/card.json", "/manifest.json")):
            continue
        if place[1].startswith(keys.PREDICTION_VIEWS):
            continue
        kept = [row for row in rows_of(before[place]) if not _is_hers(row, hers)]
        assert kept == list(rows_of(after[place])), place
        compared += len(kept) < len(list(rows_of(before[place])))
    assert compared > 10


def _is_hers(row: str | bytes, ids: set[str]) -> bool:
    text = row if isinstance(row, str) else decode(row)
    return any(one in text for one in (*HERS, *ids, *HASHES))


def test_documents_and_pages_keep_what_is_about_others(buckets: Buckets, filled: str) -> None:
    ask(buckets, SHE)
    run(buckets)
    page = read_latest(buckets)["reports", f"{keys.RUNS}r/performance.html"].decode()
    assert f"<html><body><p>erased</p><p>{prediction_id(1)}</p></body></html>" == page
    views = [
        PredictionView.from_json(data)
        for (_, key), data in read_latest(buckets).items()
        if key.startswith(keys.PREDICTION_VIEWS)
    ]
    assert [("ada@example.org", "erased")] == [(v.viewer, v.prediction) for v in views]
    rows = json.loads(read_latest(buckets)["models", f"{keys.MLFLOW}1/run/artifacts/rows.json"])
    assert {"columns": ["subject", "age"], "data": [[SOMEBODY, 33]]} == rows


def test_a_label_by_a_reference_that_others_share_stays(buckets: Buckets, filled: str) -> None:
    ask(buckets, SHE)
    run(buckets)
    stored = buckets.predictions.get(f"{keys.stream('labels', DAY)}a.parquet")
    assert stored is not None
    rows = pq.read_table(io.BytesIO(stored.data)).to_pylist()
    expected = [label(prediction_id=prediction_id(n)).to_row() for n in (1, 22)]
    expected += [label(reference=r).to_row() for r in ("v-1", "a-shared-visit")]
    assert expected == rows
    assert 1 == certificate(buckets).shared_references


def test_the_certificate_has_every_object_with_hashes_and_no_value(
    buckets: Buckets, filled: str
) -> None:
    before = read_all(buckets)
    ask(buckets, SHE, HE)
    result = run(buckets)
    found = certificate(buckets)
    after = read_latest(buckets)
    for one in found.objects:
        old = before[one.bucket, one.key, one.version_id]
        assert hashlib.sha256(old).hexdigest() == one.sha256_before
        if one.sha256_after is not None:
            new = hashlib.sha256(after[one.bucket, one.key]).hexdigest()
            assert new == one.sha256_after
    changed = {(one.bucket, one.key) for one in found.objects}
    assert {
        place[:2] for place in before if place[:2] not in after or _differs(place, before, after)
    } <= (changed | {("data", keys.manifest(filled)), *_cards(buckets)})
    assert (2, len(found.objects)) == (result.subjects, result.objects + result.versions)
    assert () == found.unfinished
    text = found.to_json().decode()
    assert [] == [one for one in (*HERS, HE, "his-own-visit") if one in text]
    assert any("model" in sentence for sentence in found.stays)


def _differs(
    place: tuple[str, str, str],
    before: dict[tuple[str, str, str], bytes],
    after: dict[tuple[str, str], bytes],
) -> bool:
    versions = [data for where, data in before.items() if where[:2] == place[:2]]
    return after[place[:2]] not in versions


def _cards(buckets: Buckets) -> set[tuple[str, str]]:
    found = buckets.models.list(keys.BUNDLES)
    return {("models", one.key) for one in found if one.key.endswith("card.json")}


def test_a_second_erasure_of_the_same_people_changes_nothing(buckets: Buckets, filled: str) -> None:
    ask(buckets, SHE)
    run(buckets)
    before = {p: d for p, d in read_all(buckets).items() if not p[1].startswith(keys.ERASURES)}
    ask(buckets, SHE, request=LATER)
    result = run(buckets, LATER)
    assert (0, 0, 0) == (result.rows, result.objects, result.versions)
    after = {p: d for p, d in read_all(buckets).items() if not p[1].startswith(keys.ERASURES)}
    assert before == after


def test_a_step_that_is_started_again_after_its_end_answers_the_same(
    buckets: Buckets, filled: str
) -> None:
    ask(buckets, SHE)
    first = run(buckets)
    assert first == run(buckets)


def test_a_dry_run_says_the_same_and_changes_nothing(buckets: Buckets, filled: str) -> None:
    before = read_all(buckets)
    ask(buckets, SHE, request=DRY_RUN)
    said = run(buckets, DRY_RUN)
    after = read_all(buckets)
    assert before == {p: d for p, d in after.items() if not p[1].startswith(keys.ERASURES)}
    assert [] == [p for p in after if p[1] == DRY_RUN.subjects]
    planned = certificate(buckets)
    for key in (keys.erasure_certificate(ERASURE), keys.erased_predictions(ERASURE)):
        buckets.data.delete(key)
    ask(buckets, SHE)
    done = run(buckets)
    assert (said.rows, said.objects, said.versions) == (done.rows, done.objects, done.versions)
    places = [(one.bucket, one.key, one.version_id, one.rows) for one in planned.objects]
    objects = certificate(buckets).objects
    assert places == [(one.bucket, one.key, one.version_id, one.rows) for one in objects]


def test_an_erasure_takes_no_row_of_somebody_whom_a_dry_run_named(
    buckets: Buckets, filled: str
) -> None:
    ask(buckets, HE, request=DRY_RUN)  # and the dry run is killed, or never begins
    before = find_traces(buckets, HE)
    ask(buckets, SHE, request=LATER)
    assert 1 == run(buckets, LATER).subjects
    left = find_traces(buckets, HE)
    assert {place[:2] for place in before if place[1] != DRY_RUN.subjects} == {
        place[:2] for place in left
    }
    assert [] == find_traces(buckets, *HERS)
    assert not buckets.data.exists(DRY_RUN.subjects)


@pytest.mark.parametrize("request_of_other", [REQUEST, DRY_RUN], ids=["erasure", "dry run"])
def test_an_erasure_leaves_another_one_that_runs_alone(
    buckets: Buckets, filled: str, request_of_other: EraseRequest
) -> None:
    ask(buckets, HE, request=request_of_other)
    ask(buckets, SHE, request=LATER)
    assert 1 == run(buckets, LATER, at_work=[ERASURE]).subjects
    assert buckets.data.exists(request_of_other.subjects)
    assert 1 == run(buckets, request_of_other).subjects
    assert bool(find_traces(buckets, HE)) is request_of_other.dry_run


def test_a_dataset_and_a_version_keep_their_name_and_say_that_rows_were_erased(
    buckets: Buckets, filled: str
) -> None:
    ask(buckets, SHE)
    run(buckets)
    manifest = json.loads(read_latest(buckets)["data", keys.manifest(filled)])
    sides = [one for one in manifest["erased"] if one["part"] in keys.SPLITS]
    assert (1, ERASURE) == (len(sides), sides[0]["erasure"])
    assert sides[0]["rows"] >= 5
    rows = manifest["splits"][sides[0]["part"]]["rows"]
    split = Split.download(buckets.data, filled, sides[0]["part"], CONTRACT)
    assert rows - sides[0]["rows"] == len(split.labels)
    ((_, key),) = _cards(buckets)
    card = ModelCard.from_json(read_latest(buckets)["models", key])
    if sides[0]["part"] == "valid":
        assert ["reference"] == [one.part for one in card.erased]
    else:
        assert () == card.erased


def test_what_the_streams_deliver_later_is_erased_too(buckets: Buckets, filled: str) -> None:
    ask(buckets, SHE)
    late = prediction_id(30)

    def deliver() -> None:
        if not buckets.predictions.exists("log/dt=2026-01-31/late.parquet"):
            rows = [record(30, SHE, "late-visit").to_row(), record(31, SOMEBODY).to_row()]
            buckets.predictions.put("log/dt=2026-01-31/late.parquet", parquet(rows))
            later = [label(prediction_id=late).to_row(), label(reference="late-visit").to_row()]
            buckets.predictions.put("labels/dt=2026-01-31/late.parquet", parquet(later))

    run(buckets, settle=deliver)
    assert [] == find_traces(buckets, *HERS, late, "late-visit")


def test_what_a_training_brings_back_is_erased_again(buckets: Buckets, filled: str) -> None:
    key = keys.dataset(filled, "train")
    old = {part: read_latest(buckets)["data", keys.dataset(filled, part)] for part in keys.SPLITS}
    calls: list[int] = []

    def bring_back() -> None:
        if len(calls) < 2:
            for part, content in old.items():
                buckets.data.put(keys.dataset(filled, part), content)
        calls.append(1)

    ask(buckets, SHE)
    run(buckets, settle=bring_back)
    assert 3 == len(calls)
    assert buckets.data.exists(key)
    assert [] == find_traces(buckets, *HERS)


def test_a_writer_that_is_faster_loses_nothing(
    buckets: Buckets, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, added = f"{keys.RAW}a.csv", b""

    def overtaken(bucket: Bucket, version: Version, path: Path) -> None:
        nonlocal added
        if version.key == key and not added:
            stored = buckets.data.get(key)
            assert stored is not None
            added = stored.data.splitlines(keepends=True)[1].replace(b"patient-0000", b"patient-9")
            buckets.data.put(key, stored.data + added)
        s3_versions.replace(bucket, version, path)

    monkeypatch.setattr("training_job.erasure.erase.replace", overtaken)
    ask(buckets, SHE)
    run(buckets)
    lines = read_latest(buckets)["data", key].splitlines(keepends=True)
    assert added == lines[-1]
    assert 1 + 150 - 3 + 1 == len(lines)
    assert [] == find_traces(buckets, *HERS)


def test_an_object_that_is_named_after_a_person_is_reported_without_the_name(
    buckets: Buckets,
) -> None:
    buckets.data.put(f"{keys.RAW}{SHE}.csv", f"age,Patient\n40,{SHE}\n41,{HE}\n".encode())
    buckets.data.put(f"{keys.RAW}plain.zip", b"PK\x03\x04\x00" + SHE.encode())
    ask(buckets, SHE)
    assert 2 == run(buckets).unfinished
    found = certificate(buckets)
    assert [f"{keys.RAW}***.csv"] == [one.key for one in found.objects]
    assert [f"{keys.RAW}***.csv", f"{keys.RAW}plain.zip"] == [one.key for one in found.unfinished]
    assert SHE not in found.to_json().decode()


def test_without_a_subject_in_the_contract_it_refuses_in_one_sentence(buckets: Buckets) -> None:
    ask(buckets, SHE)
    with pytest.raises(BadInput, match='no context column with role = "subject"'):
        erase(
            request=REQUEST,
            contract=Contract.parse(CONTRACT_TOML.read_text()),
            buckets=buckets,
            execution="e",
            settle=lambda: None,
            say=lambda _: None,
        )
    assert {} == read_all(buckets)


NAMED = {
    "lines of every system": (b"a\r\nb\rc\nd", {"a", "b", "c", "d"}),
    "a byte order mark, blanks and blank lines": ("\ufeff a \n\n\tb\n".encode(), {"a", "b"}),
    "characters that only Unicode takes for the end of a line": (
        "a\u2028b\nc\x85d\ne\u2029f".encode(),
        {"a\u2028b", "c\x85d", "e\u2029f"},
    ),
}


@pytest.mark.parametrize(("data", "named"), NAMED.values(), ids=NAMED.keys())
def test_a_line_names_one_person(data: bytes, named: set[str]) -> None:
    """Half of a pseudonym may be the pseudonym of somebody else."""
    assert named == read_subjects(data)


def test_the_frame_has_rows_of_them() -> None:
    assert (5, 3) == ((FRAME["Patient"] == SHE).sum(), (FRAME["Patient"] == HE).sum())
