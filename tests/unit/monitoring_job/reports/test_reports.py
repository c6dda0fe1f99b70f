"""The pages and the mail: what they say, and what they must never carry."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from domain.drift.drift import Outcome
from domain.drift.fairness import GROUP_MEASURES, GroupFigure, SegmentPerformance
from domain.drift.incident import Transition
from domain.drift.performance import Calibration, Expectation, LabelShift, Performance
from domain.drift.summary import ColumnDrift, RowCounts, SegmentDrift, Summary, run_id
from domain.interval import Interval
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.mails import Section, compose
from monitoring_job.reports import findings, reports, wording
from monitoring_job.reports.page_header import header
from monitoring_job.reports.safe_html import UnexpectedPage, harden
from monitoring_job.statistics import profiles
from monitoring_job.statistics.statistics import compare_columns
from tests.unit.monitoring import (
    DRIFTED,
    PROFILE,
    SECRET,
    Channels,
    drift_summary,
    scored,
)

HOSTILE = "</script><script>document.title='owned'</script>"
START, END = 1769817600000, 1769904000000  # 2026-01-31


def drifted(
    contract: Contract, *, names: Sequence[str] = ("data_drift", "prediction_drift")
) -> tuple[Summary, dict[str, str]]:
    """A run with drift of every kind, over hostile values, and its pages."""
    current = scored(1_000, seed=5)
    current["age"] += 12
    current.loc[:99, "gender"] = HOSTILE
    current.loc[:199, "bmi"] = None
    current["probability"] = current["probability"] ** 0.5
    old = profiles.profile_columns(contract, pa.Table.from_pandas(scored(5_000, seed=1)))
    new = profiles.profile_columns(contract, pa.Table.from_pandas(current))
    columns, prediction = compare_columns(
        contract=contract, reference=old, current=new, threshold=0.5, minimum_rows=300
    )
    summary = Summary(
        run_id=str(run_id(start=START, end=END, version="3-0a1b2c3d")),
        version="3-0a1b2c3d",
        start=START,
        end=END,
        computed_at=END,
        scheduled=True,
        outcome=Outcome.PREDICTION_DRIFT,
        findings=(Outcome.DATA_DRIFT, Outcome.PREDICTION_DRIFT),
        rows=RowCounts(logged=1_000, sampled=1_000, malformed={"probability": 4}),
        reference_rows=5_000,
        columns=columns,
        prediction=prediction,
        reports=("data_drift", "prediction_drift"),
    )
    draw = {"data_drift": reports.data_drift, "prediction_drift": reports.prediction_drift}
    return summary, {
        name: draw[name](summary=summary, reference=old, current=new) for name in names
    }


@pytest.fixture(scope="module")
def run(contract: Contract) -> tuple[Summary, dict[str, str]]:
    return drifted(contract)


@pytest.mark.parametrize("name", ["data_drift", "prediction_drift"])
def test_a_page_begins_with_the_verdict(run: tuple[Summary, dict[str, str]], name: str) -> None:
    header = run[1][name].partition("<header")[2].partition("</header>")[0]
    wanted = ("Prediction drift, data drift", "2026-01-31 UTC", "3-0a1b2c3d", "1,000 predictions")
    assert [] == [text for text in (*wanted, "4 malformed rows", "Age") if text not in header]


@pytest.mark.parametrize(
    ("name", "heading"),
    [("data_drift", "Data drift report"), ("prediction_drift", "Prediction drift report")],
)
def test_a_page_is_headed_by_what_it_is_and_then_by_the_verdict(
    run: tuple[Summary, dict[str, str]], name: str, heading: str
) -> None:
    header = run[1][name].partition("<header")[2].partition("</header>")[0]
    assert [heading] == re.findall(r"<h1[^>]*>([^<]*)</h1>", header)
    assert "Verdict of the run: Prediction drift, data drift" in header


@pytest.mark.parametrize("name", ["data_drift", "prediction_drift"])
def test_plots_open_in_shares_because_the_sides_have_different_sizes(
    run: tuple[Summary, dict[str, str]], name: str
) -> None:
    data = [line for line in run[1][name].split("\n") if line.startswith("    var ")]
    pictures = re.findall(r'"active": (\d), "buttons": \[(.*?)\]', "".join(data)) or re.findall(
        r'"buttons": \[(.*?)\].*?"active": (\d)', "".join(data)
    )
    assert pictures
    assert '"title": {"text": "Percent"}' in "".join(data)
    assert '"title": {"text": "Count"}' not in "".join(data)


def test_the_performance_page_lists_the_segments_the_changed_ones_first() -> None:
    unchanged = GroupFigure(now=Interval(0.7, 0.6, 0.8), reference=0.72, p_value=0.4, q_value=0.6)
    quiet = SegmentPerformance(
        labelled=None,
        positives=None,
        has_enough_labels=True,
        figures=dict.fromkeys(GROUP_MEASURES, unchanged),
    )
    fell = GroupFigure(
        now=Interval(0.5, 0.45, 0.55), reference=0.72, p_value=1e-9, q_value=1e-7, changed=True
    )
    none = GroupFigure(now=None, reference=None)
    worse = replace(quiet, labelled=412, figures={**quiet.figures, "recall": fell, "f1": none})
    segments = tuple(
        SegmentDrift(name=name, rows=500, reference_rows=900, performance=performance)
        for name, performance in (("<b>", quiet), ("gender=Male", worse), ("age under 30", None))
    )
    summary = replace(drift_summary(Outcome.PERFORMANCE_DROP), segments=segments)
    page = header("performance", summary)
    table = page.partition("By segment")[2]
    assert table.index("gender=Male") < table.index("&lt;b&gt;")
    assert "age under 30" not in table
    assert "<b>changed: 0.500 (0.450 to 0.550); 0.720 on the reference</b>" in table
    assert ">412</td>" in table
    assert 2 == len(re.findall(r"<td[^>]*>not shown</td>", table))  # labels of one, F1 of the other
    assert "By segment" not in header("data_drift", summary)
    assert (
        "gender=Male: by the labels of this window, recall fell from 0.720 on the reference to "
        "0.500 (0.450 to 0.550, q < 0.0001) (limit 0.05).",
    ) == findings.sentences(summary)


@pytest.mark.parametrize("name", ["data_drift", "prediction_drift"])
def test_a_page_carries_no_value_from_outside_the_contract(
    run: tuple[Summary, dict[str, str]], name: str
) -> None:
    assert "owned" not in run[1][name]
    assert len(run[1][name].encode()) < 5_000_000


@pytest.mark.parametrize("name", ["data_drift", "prediction_drift"])
def test_a_page_allows_its_own_scripts_only_and_no_connection(
    run: tuple[Summary, dict[str, str]], name: str
) -> None:
    page = run[1][name]
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert re.findall(r"'sha256-([^']*)'", policy) == digests
    assert "script-src 'unsafe" not in policy
    assert "connect-src" not in policy  # so default-src 'none' holds for connections
    assert page.index("Content-Security-Policy") < page.index("<script>")


def _page(data: str) -> str:
    lines = ("<html><head>", "<script>", f"    var a = {data};", "    var b = {};", "</script>")
    return "\n".join((*lines, "</head><body>", "<script>draw(a)</script></body></html>"))


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "<!--<script>",
        "a & b",
        "line\u2028and\u2029paragraph",
        "</SCRIPT ><img src=x>",
        "]]>",
    ],
)
def test_embedded_data_keeps_its_meaning_and_loses_its_markup(text: str) -> None:
    data = json.dumps({"text": text}, ensure_ascii=False)
    page = harden(_page(data), title="t", header="")
    embedded = page.partition("    var a = ")[2].partition(";\n")[0]
    assert {"text": text} == json.loads(embedded)
    assert not set("<>&\u2028\u2029") & set(embedded)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html><head></head><body></body></html>",
        _page("{}").replace("<head>", ""),
        _page("{}").replace("    var b = {};\n", ""),
        _page("{}").replace("    var b", "    var b = 1;\n    var c"),
        _page("{}").replace("draw(a)", "draw(a)</script><script src='x'>"),
    ],
)
def test_a_page_built_otherwise_is_not_published(page: str) -> None:
    with pytest.raises(UnexpectedPage):
        harden(page, title="t", header="")


def test_the_mail_says_what_drifted_from_what_to_what(
    run: tuple[Summary, dict[str, str]],
) -> None:
    summary = run[0]
    links = Links("https://api.example.org/v1/", SECRET)
    urls = {name: links.report(summary.run_id, name) for name in summary.reports}
    mail = compose(
        target="diabetes",
        stage="dev",
        command="ops --stage dev",
        transition=Transition.OPEN,
        sections=[Section(summary, urls)],
    )
    subject = "[diabetes dev] Prediction drift, data drift: Body mass index, Gender, Age and 1 more"
    assert f"{subject} (2026-01-31 UTC)" == mail.subject
    for line in (
        r"\* Age: the mean rose from 4[\d.]+ to 5[\d.]+ years, and the distribution moved by "
        r"0\.\d\d standard deviations \(limit 0\.1, q < 0\.0001\)",
        r"\* Body mass index: the share of missing values rose from 0\.0 % to 20\.0 %, by "
        r"20\.0 points \(limit 0\.5, q < 0\.0001\)",
        r"\* Gender: the share of values outside the contract rose from 0\.0 % to 10\.0 %",
        r"\* predicted probability: the mean rose from 0\.\d+ to 0\.\d+",
        r"Rows: 1,000 predictions, compared with 5,000 reference rows; 4 malformed rows left out",
    ):
        assert re.search(line, mail.text), line
    assert [] == [url for url in urls.values() if url not in mail.text]
    assert 2 == mail.html.count("https://api.example.org/v1/reports/")
    assert "owned" not in mail.text + mail.html
    for command in ("labels-wanted --count 300", "acknowledge"):
        assert f": ops --stage dev {command}\n" in mail.text


def test_a_link_opens_its_own_report_only() -> None:
    url = Links("https://api.example.org/v1/", SECRET).report("run", "data_drift")
    address, _, token = url.partition("?t=")
    assert "https://api.example.org/v1/reports/run/data_drift" == address
    assert SECRET.verifies(token, "run", "data_drift")
    assert not SECRET.verifies(token, "run", "prediction_drift")


@pytest.mark.parametrize("transition", [t for t in Transition if t is not Transition.SILENT])
def test_every_transition_has_its_words(
    run: tuple[Summary, dict[str, str]], transition: Transition
) -> None:
    mail = compose(
        target="diabetes",
        stage="dev",
        command="ops",
        transition=transition,
        sections=[Section(run[0], {})],
    )
    assert mail.text.count("\n\n") >= 2
    assert mail.text.splitlines()[0] in mail.html


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_words(run: tuple[Summary, dict[str, str]], outcome: Outcome) -> None:
    summary = replace(run[0], outcome=outcome, findings=())
    assert wording.headline(summary)
    assert wording.explanation(summary).endswith(".")


@pytest.mark.parametrize(
    ("enough", "headline", "sentence", "basis"),
    [
        (True, "Performance drop", "performs worse than when it was promoted", "labels"),
        (False, "Expected performance drop", "is expected to perform worse", "estimate"),
    ],
)
def test_an_estimated_drop_is_told_as_an_estimate(
    run: tuple[Summary, dict[str, str]], enough: bool, headline: str, sentence: str, basis: str
) -> None:
    f1 = Interval(value=0.6, low=0.5, high=0.7)
    dropped = replace(
        run[0],
        outcome=Outcome.PERFORMANCE_DROP,
        findings=(Outcome.DATA_DRIFT, Outcome.PERFORMANCE_DROP),
        performance=Performance(
            labelled=200, coverage=0.2, positives=40, has_enough_labels=enough, dropped=enough
        ),
        expectation=Expectation(
            f1=f1,
            label_shift=LabelShift(f1=f1, prevalence=0.041),
            reference_f1=0.8,
            calibrated=True,
            dropped=True,
        ),
    )
    channels = Channels()
    channels.notifier().announce(target="diabetes", transition=Transition.OPEN, summaries=[dropped])
    assert f"[diabetes dev] {headline}, data drift: Body mass index" in channels.subjects[0]
    assert sentence in wording.explanation(dropped)
    facts = json.loads(channels.messages[0]["Message"])["runs"][0]["f1"]
    assert facts["basis"] == basis


def test_what_has_declined_is_said_with_its_figures(run: tuple[Summary, dict[str, str]]) -> None:
    ratio = Interval(value=0.5, low=0.4, high=0.6)
    measured = Performance(
        labelled=200,
        coverage=1.0,
        positives=40,
        figures={"f1": None, "roc_auc": Interval(value=0.83, low=0.8, high=0.86)},
        test={"f1": 0.8, "roc_auc": 0.98},
        has_enough_labels=True,
        dropped=True,
        calibration=Calibration(slope=ratio, observed_ratio=ratio, declined=True),
        declined=("f1", "roc_auc", "calibration"),
    )
    lines = wording.performance(replace(run[0], performance=measured))
    assert [
        "Labels: known for 100.0 % of the predictions (200).",
        "ROC AUC: 0.830 (0.800 to 0.860); 0.980 on the test rows",
        "Calibration: slope 0.500 (0.400 to 0.600), where 1 is right; 0.500 (0.400 to 0.600) times "
        "as many positive outcomes as predicted.",
        "F1 has fallen from 0.800 on the test rows to not shown: by more than 0.05, and by more "
        "than chance explains.",
        "ROC AUC has fallen from 0.980 on the test rows to 0.830: by more than 0.05, and by more "
        "than chance explains.",
        "The probabilities are off by more than a quarter, and by more than chance explains.",
    ] == lines[:6]


def test_what_was_left_out_is_told_by_reason(run: tuple[Summary, dict[str, str]]) -> None:
    rows = RowCounts(
        logged=1_012, sampled=1_000, copies=12, malformed={"prediction_id": 2, "probability": 3}
    )
    assert wording.counts(replace(run[0], rows=rows)).endswith(
        "; 5 malformed rows left out (3 probability, 2 prediction_id); 12 copies left out"
    )


def test_what_would_tell_about_too_few_rows_is_said_to_be_hidden(
    run: tuple[Summary, dict[str, str]],
) -> None:
    column = next(c for c in run[0].columns if c.column == "bmi")
    tests = tuple(replace(test, before=None, effect=test.limit) for test in column.tests)
    hidden = replace(column, tests=tests)
    [change] = findings.changes(replace(run[0], columns=(hidden,), prediction=None, segments=()))
    assert (
        "the share of missing values rose (shares of so few rows are not shown), by at least "
        "0.5 points (limit 0.5, q < 0.0001)"
    ) == change.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"method": "odds_ratio", "effect": 0.5, "limit": 1.5, "group": "Other"},
            "the share of Other fell from 2.0 % to 1.0 %; the odds ratio is 0.50 "
            "(limit 1/1.5, q < 0.0001)",
        ),
        (
            {
                "method": "share_ratio",
                "aspect": "decisions",
                "effect": 0.5,
                "limit": 1.2,
                "group": "positive",
                "p_value": 0.0002,
            },
            "the share of positive predictions fell from 2.0 % to 1.0 %, 0.50 times that of the "
            "reference (limit 1/1.2, p = 0.0002)",
        ),
        (
            {"method": "wasserstein", "effect": 0.25},
            "the mean is still 41 years, but the distribution moved by 0.25 standard deviations "
            "(limit 0.1, q < 0.0001)",
        ),
    ],
)
def test_each_kind_of_finding_is_one_plain_sentence(
    run: tuple[Summary, dict[str, str]], changes: dict[str, Any], expected: str
) -> None:
    test = replace(DRIFTED, before=0.02, after=0.01, **changes)
    column = replace(run[0].columns[1], reference=PROFILE, current=PROFILE, tests=(test,))
    alone = replace(run[0], columns=(column,), prediction=None, segments=())
    assert (f"Age: {expected}.",) == findings.sentences(alone)


@pytest.mark.parametrize(("labelled", "told"), [(None, "nearly all of"), (200, "20.0 % of")])
def test_how_many_have_a_label_is_told_unless_as_few_have_none(
    run: tuple[Summary, dict[str, str]], labelled: int | None, told: str
) -> None:
    measured = Performance(labelled=labelled, coverage=labelled and 0.2, positives=40)
    [line] = wording.performance(replace(run[0], performance=measured))
    assert line.startswith(f"Labels: known for {told} the predictions")


@pytest.mark.parametrize(
    ("limit", "drawn"), [(10_000_000, None), (3_760_000, "4 of 8"), (3_720_000, "2 of 8")]
)
def test_a_page_that_would_be_too_large_draws_what_moved_most(
    contract: Contract, monkeypatch: pytest.MonkeyPatch, limit: int, drawn: str | None
) -> None:
    monkeypatch.setattr(reports, "MAXIMUM_BYTES", limit)
    page = drifted(contract, names=("data_drift",))[1]["data_drift"]
    assert len(page.encode()) <= limit
    assert (f"Drawn: the {drawn} columns that changed most." in page) == (drawn is not None)
    assert ('"bmi"' in page, '"heart_disease"' in page) == (True, drawn is None)


@pytest.mark.slow
def test_a_page_of_a_hundred_columns_keeps_the_limit_and_the_one_that_drifted() -> None:
    random = np.random.default_rng(1)
    features = [
        {"name": f"f{i}", "kind": "number", "minimum": -99, "maximum": 99} for i in range(100)
    ]
    wide = Contract.from_dict({"target": {"name": "t"}, "features": features, "segments": []})
    sides = []
    for rows, shift in ((1_000, 0), (500, 1)):
        frame = pd.DataFrame({f"f{i}": random.normal(size=rows) for i in range(100)})
        frame["f70"] += shift
        table = pa.Table.from_pandas(frame.assign(probability=random.random(rows)))
        sides.append(profiles.profile_columns(wide, table))
    old, new = sides
    columns, prediction = compare_columns(
        contract=wide, reference=old, current=new, threshold=0.5, minimum_rows=300
    )
    summary = Summary(
        run_id=str(run_id(start=START, end=END, version=None)),
        version=None,
        start=START,
        end=END,
        computed_at=END,
        scheduled=True,
        outcome=Outcome.DATA_DRIFT,
        columns=columns,
        prediction=prediction,
    )
    page = reports.data_drift(summary=summary, reference=old, current=new)
    assert len(page.encode()) <= 5_000_000
    assert "Drawn: the 50 of 100 columns that changed most." in page
    assert '"f70"' in page


def test_a_page_that_is_too_large_anyhow_is_refused(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MAXIMUM_BYTES", 1_000_000)
    for name in ("data_drift", "prediction_drift"):
        with pytest.raises(reports.PageTooLarge):
            drifted(contract, names=(name,))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (START, END, "2026-01-31 UTC"),
        (START, END + 86_400_000, "2026-01-31 to 2026-02-01 UTC"),
        (START + 1_000, END, "2026-01-31 00:00:01 to 2026-02-01 00:00:00 UTC"),
    ],
)
def test_a_window_reads_as_days_where_it_is_days(
    run: tuple[Summary, dict[str, str]], start: int, end: int, expected: str
) -> None:
    assert expected == wording.window(replace(run[0], start=start, end=end))


def test_a_sampled_window_says_so(run: tuple[Summary, dict[str, str]]) -> None:
    rows = RowCounts(
        logged=1_000_000, sampled=90_000, copies=10_000, sample_share=0.1, unreadable_objects=2
    )
    text = wording.counts(replace(run[0], rows=rows))
    assert (
        "about 900,000 predictions, 90,000 of them sampled, compared with 5,000 reference rows; "
        "2 unreadable objects left out; 10,000 copies left out"
    ) == text


def _moved(segment: str, *changes: float, drifted: bool = True) -> SegmentDrift:
    """A segment whose columns have other means."""
    columns = tuple(
        ColumnDrift(
            name=f"column_{number}",
            column=f"column_{number}",
            kind="number",
            reference=PROFILE,
            current=replace(PROFILE, mean=41.0 + change),
            tests=(replace(DRIFTED, drifted=drifted),),
        )
        for number, change in enumerate(changes)
    )
    return SegmentDrift(name=segment, rows=500, reference_rows=500, columns=columns)


def test_one_shift_in_all_segments_is_said_once() -> None:
    segments = (_moved("a", 10, 1), _moved("b", 17), _moved("c", 12, -3))
    small = SegmentDrift(name="d", rows=None, reference_rows=None)
    summary = replace(drift_summary(Outcome.DATA_DRIFT), segments=(*segments, small))
    assert (
        "column_0 in all 3 segments: the mean moved by +10 to +17.",
        "column_1 in all 2 segments: the mean moved by -3 to +1.",
    ) == findings.sentences(summary)


def test_a_shift_that_spares_a_segment_is_said_of_each_that_has_it() -> None:
    segments = (_moved("a", 10), _moved("b", 0, drifted=False), _moved("c", 12))
    summary = replace(drift_summary(Outcome.DATA_DRIFT), segments=segments)
    names = [change.name for change in findings.changes(summary)]
    assert ["column_0 in a", "column_0 in c"] == names


def test_sentences_use_the_contracts_title_and_unit() -> None:
    column = _moved("", 10).columns[0]
    named = replace(column, title="Blood glucose", unit="mg/dl")
    summary = replace(drift_summary(Outcome.DATA_DRIFT), columns=(named,))
    (sentence,) = findings.sentences(summary)
    assert sentence.startswith("Blood glucose: the mean rose from ")
    assert " to 51 mg/dl, and the distribution moved" in sentence
    segments = tuple(replace(_moved(name, 10), columns=(named,)) for name in ("a", "b"))
    summary = replace(drift_summary(Outcome.DATA_DRIFT), segments=segments)
    expected = "Blood glucose in all 2 segments: the mean moved by +10 to +10 mg/dl."
    assert (expected,) == findings.sentences(summary)
