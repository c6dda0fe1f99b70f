"""The capability in a report's link."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.api.report_token import ReportSecret
from domain.errors import BadRecord

OLD, NEW, RUN = "o" * 40, "n" * 40, "20260130T000000Z--20260131T000000Z--7-0a1b2c3d"


@given(st.text(), st.text())
def test_a_token_opens_its_own_report(run_id: str, report: str) -> None:
    try:
        f"{run_id}{report}".encode()
    except UnicodeEncodeError:
        return
    secret = ReportSecret(NEW)
    assert secret.verifies(secret.sign(run_id, report), run_id, report)


@pytest.mark.parametrize(
    ("run_id", "report"), [(RUN, "performance"), (RUN + "0", "data_drift"), ("", ""), (RUN, "")]
)
def test_a_token_opens_no_other_report(run_id: str, report: str) -> None:
    secret = ReportSecret(NEW)
    assert not secret.verifies(secret.sign(RUN, "data_drift"), run_id, report)


def test_tokens_survive_one_rotation_and_not_two() -> None:
    token = ReportSecret(OLD).sign(RUN, "data_drift")
    assert ReportSecret(NEW, previous=OLD).verifies(token, RUN, "data_drift")
    assert not ReportSecret("x" * 40, previous=NEW).verifies(token, RUN, "data_drift")


@pytest.mark.parametrize("token", ["", "x", "ä", "=" * 43])
def test_a_wrong_token_opens_nothing(token: str) -> None:
    assert not ReportSecret(NEW, previous=OLD).verifies(token, RUN, "data_drift")


def test_a_token_fits_into_a_url() -> None:
    token = ReportSecret(NEW).sign(RUN, "data_drift")
    assert 43 == len(token)
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_secret_is_read_from_json() -> None:
    text = json.dumps({"current": NEW, "previous": OLD})
    assert ReportSecret(NEW, OLD) == ReportSecret.from_json(text)
    assert ReportSecret(NEW) == ReportSecret.from_json(json.dumps({"current": NEW}))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", '{"current": 5}', '{"current": "short"}', '{"current": null}'),
        json.dumps({"current": NEW, "previous": 5}),
        json.dumps({"current": NEW, "previous": [OLD]}),
    ],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(BadRecord):
        ReportSecret.from_json(text)


def test_a_secret_does_not_show_itself() -> None:
    assert NEW not in repr(ReportSecret(NEW))
