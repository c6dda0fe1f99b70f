"""Every key is built and parsed by one module, and nothing else is taken for one."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import keys
from domain.errors import BadKey

VERSION = "7-0a1b2c3d"
SHA256 = "0a1b2c3d4e5f6"  # pragma: allowlist secret
DAY = date(2026, 1, 31)
_INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)).map(
    lambda instant: instant.replace(microsecond=0, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("expected", "built"),
    [
        ("datasets/abc/train.parquet", keys.dataset("abc", "train")),
        ("datasets/abc/manifest.json", keys.manifest("abc")),
        ("datasets/refused/run-1/quarantine.parquet", keys.refused_rows("run-1")),
        ("scoring/in/abababababab/a.csv", keys.scoring_upload("ab" * 32, "a.csv")),
        (f"scoring/out/0a1b2c3d4e5f-{VERSION}/", keys.scoring_output(SHA256, VERSION, log=False)),
        (
            f"scoring/out/0a1b2c3d4e5f-{VERSION}-logged/",
            keys.scoring_output(SHA256, VERSION, log=True),
        ),
        (
            f"prediction_views/{'ab' * 32}/0000000000007-0a.json",
            keys.prediction_view("ab" * 32, 7, "0a"),
        ),
        ("raw/", keys.place("raw")),
        ("raw/2024/", keys.place("raw/2024/")),
        ("raw/A.CSV.GZ", keys.place("raw/A.CSV.GZ")),
        (f"serving/bundles/{VERSION}/bundle.json.gz", keys.bundle(VERSION)),
        (f"serving/bundles/{VERSION}/reference.parquet", keys.reference(VERSION)),
        (f"serving/bundles/{VERSION}/card.json", keys.card(VERSION)),
        (
            f"serving/ledger/00000012-promote-{VERSION}.json",
            keys.ledger_entry(12, "promote", VERSION),
        ),
        ("studies/run-1/journal.log", keys.study("run-1")),
        ("log/dt=2026-01-31/", keys.stream("log", DAY)),
        ("fallback/labels/dt=2026-01-31/u.jsonl", keys.fallback("labels", DAY, "u")),
        ("rejected/log/", keys.rejected("log")),
        ("requests/u.json", keys.request("u")),
    ],
)
def test_the_layout(expected: str, built: str) -> None:
    assert expected == built


def test_a_version_is_number_and_hash() -> None:
    assert VERSION == keys.version(7, "0a1b2c3d" + "f" * 56)
    assert "7" == keys.registry_number(VERSION)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "7-0A1B2C3D",
        "0-0a1b2c3d",
        "7-0a1b2c3",
        "7-0a1b2c3d/",
        "../7-0a1b2c3d",
        "7-0a1b2c3d\n",
    ],
)
def test_what_is_no_version_makes_no_key(text: str) -> None:
    for build in (keys.bundle, keys.reference, keys.card, keys.check_version):
        with pytest.raises(BadKey):
            build(text)


@given(
    st.integers(0, 99_999_999),
    st.sampled_from(["promote", "rollback"]),
    st.integers(1, 999),
    st.integers(0, 2**32 - 1),
)
def test_a_ledger_key_comes_back(seq: int, action: str, number: int, hash_: int) -> None:
    version = keys.version(number, f"{hash_:08x}")
    key = keys.ledger_entry(seq, action, version)
    assert (seq, action, version) == keys.parse_ledger_entry(key)


def test_the_order_of_ledger_keys_is_the_order_of_events() -> None:
    built = [keys.ledger_entry(seq, "promote", VERSION) for seq in (1, 2, 10, 100, 12345)]
    assert sorted(built) == built


@pytest.mark.parametrize(
    "key", ["", "serving/ledger/1-promote-7-0a1b2c3d.json", keys.CHAMPION, f"x{keys.LEDGER}"]
)
def test_another_key_is_no_ledger_entry(key: str) -> None:
    with pytest.raises(BadKey):
        keys.parse_ledger_entry(key)


@given(st.lists(_INSTANTS, min_size=2, max_size=2, unique=True), st.none() | st.just(VERSION))
def test_a_run_id_comes_back(instants: list[datetime], version: str | None) -> None:
    start, end = sorted(instants)
    run_id = keys.RunId(start, end, version)
    assert run_id == keys.RunId.parse(str(run_id))
    assert f"runs/{run_id}/summary.json" == keys.summary(run_id)
    assert f"runs/{run_id}/data_drift.html" == keys.report(run_id, "data_drift")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260130T000000Z--20260131T000000Z",
        f"20260130T000000Z--20260131T000000Z--{VERSION}--x",
        f"20260131T000000Z--20260131T000000Z--{VERSION}",
        f"20260131T000000Z--20260130T000000Z--{VERSION}",
        f"20260130T000000--20260131T000000Z--{VERSION}",
        "20260130T000000Z--20260131T000000Z--../../secret",
        "20260130T000000Z--20260131T000000Z--None",
        f"2026130T000000Z--20260131T000000Z--{VERSION}",
    ],
)
def test_another_text_is_no_run_id(text: str) -> None:
    with pytest.raises(BadKey):
        keys.RunId.parse(text)


@pytest.mark.parametrize("name", ["", "summary", "../data_drift", "data_drift.html", "Data_drift"])
def test_another_name_is_no_report(name: str) -> None:
    run_id = keys.RunId(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), None)
    with pytest.raises(BadKey):
        keys.report(run_id, name)


@pytest.mark.parametrize(
    ("expected", "value"),
    [(True, VERSION), (False, f"{VERSION}\n"), (False, "7"), (False, 7), (False, None)],
)
def test_only_a_text_of_the_right_form_is_a_version(expected: bool, value: object) -> None:
    assert expected is keys.is_version(value)


def test_the_time_of_a_view_is_in_its_key() -> None:
    key = keys.prediction_view("ab" * 32, 1_770_000_000_000, "0a1b")
    assert 1_770_000_000_000 == keys.parse_prediction_view(key)
    for other in (key.replace("ab", "AB"), f"{key}x", keys.ALERT_STATE):
        with pytest.raises(BadKey):
            keys.parse_prediction_view(other)
