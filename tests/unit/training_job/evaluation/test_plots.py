"""Plots of an evaluated model show no figure of fewer than eleven people."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure

from domain.contract.contract import Contract
from training_job.evaluation.plots import PICTURES, PlotData


def _paint(contract: Contract, name: str, labels: npt.NDArray[np.int8], scores: Any) -> Any:
    nothing: Any = None  # neither picture looks at the model
    data = PlotData(
        contract=contract,
        booster=nothing,
        matrix=nothing,
        labels=labels,
        scores=np.asarray(scores, dtype=np.float64),
        threshold=0.5,
        history=(),
    )
    axes = Figure().add_subplot()
    PICTURES[name](data, axes)
    return axes


@pytest.mark.parametrize(
    ("missed", "expected"),
    [(7, {"400", "suppressed", "53"}), (11, {"400", "30", "11", "49"})],
)
def test_a_small_cell_of_the_confusion_is_suppressed_with_the_next_smallest(
    contract: Contract, missed: int, expected: set[str]
) -> None:
    labels = np.repeat([0, 1], [430, 60]).astype(np.int8)
    scores = np.repeat([0.1, 0.9, 0.1, 0.9], [400, 30, missed, 60 - missed])
    axes = _paint(contract, "confusion", labels, scores)
    assert expected == {text.get_text() for text in axes.texts}


def test_the_calibration_has_a_point_only_where_eleven_rows_are(contract: Contract) -> None:
    labels = (np.arange(131) % 4 == 0).astype(np.int8)
    scores = np.repeat([0.04, 0.26, 0.98], [100, 21, 10])
    axes = _paint(contract, "calibration", labels, scores)
    points = axes.lines[1]
    assert pytest.approx([0.04, 0.26]) == list(points.get_xdata())
    assert pytest.approx([labels[:100].mean(), labels[100:121].mean()]) == list(points.get_ydata())
