"""Labels that came for some predictions rather than others, in a drift run."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from monitoring_job.selective_labels import keep_representative
from tabular.labels import UNKNOWN, Labels
from tests.unit.monitoring import scored

ROWS = 8_000
THRESHOLD = 0.5


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return scored(ROWS, seed=3)


def _label(frame: pd.DataFrame, chosen: "np.ndarray") -> Labels:
    return np.where(chosen, frame["label"], UNKNOWN).astype(np.int8)


def _keep(frame: pd.DataFrame, labels: Labels, contract: Contract) -> tuple[Labels, str]:
    table = pa.Table.from_pandas(frame.drop(columns=["predicted", "label"]), preserve_index=False)
    kept, sentences = keep_representative(table, labels, contract, threshold=THRESHOLD)
    return kept, " ".join(sentences)


def _false_positive_rate(frame: pd.DataFrame, labels: Labels) -> float:
    negatives = labels == 0
    return float(frame["predicted"][negatives].mean())


def test_labels_of_a_random_part_are_all_kept_and_nothing_is_said(
    frame: pd.DataFrame, contract: Contract
) -> None:
    labels = _label(frame, np.random.default_rng(1).random(ROWS) < 0.4)
    kept, said = _keep(frame, labels, contract)
    assert labels.tolist() == kept.tolist()
    assert "" == said


def test_of_labels_that_came_more_often_for_positive_answers_a_representative_part_is_kept(
    frame: pd.DataFrame, contract: Contract
) -> None:
    chance = np.where(frame["predicted"], 0.9, 0.2) * np.where(frame["gender"] == "Male", 1, 0.5)
    labels = _label(frame, np.random.default_rng(1).random(ROWS) < chance)
    kept, said = _keep(frame, labels, contract)
    truth = _false_positive_rate(frame, frame["label"].to_numpy().astype(np.int8))
    assert _false_positive_rate(frame, labels) > truth + 0.1
    assert truth == pytest.approx(_false_positive_rate(frame, kept), abs=0.03)
    known = kept != UNKNOWN
    assert labels[known].tolist() == kept[known].tolist()
    assert f"about {float(f'{known.sum():.3g}'):,.0f} of" in said


@pytest.mark.parametrize(
    ("whose", "said"),
    [("label", "All"), ("predicted", "Groups of predictions without a single label")],
)
def test_labels_for_the_sick_or_the_examined_alone_give_no_verdict_and_it_is_said(
    frame: pd.DataFrame, contract: Contract, whose: str, said: str
) -> None:
    kept, found = _keep(frame, _label(frame, frame[whose].to_numpy()), contract)
    assert np.all(kept == UNKNOWN)
    assert found.startswith(said)
    assert "nothing can be known" in found
    assert found.endswith("So these labels give no verdict.")


def test_too_few_labels_for_a_verdict_are_left_as_they_are(
    frame: pd.DataFrame, contract: Contract
) -> None:
    labels = _label(frame, np.arange(ROWS) < 90)
    assert (labels.tolist(), "") == (_keep(frame, labels, contract)[0].tolist(), "")
