"""Plots of an evaluated model for the tracking server. None shows a patient's values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from sklearn import metrics

from domain.contract.contract import Contract
from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed
from tabular.classification import Counts, Floats
from training_job.dataset.dataset import Split
from training_job.evaluation.answers.answers import Answers
from training_job.model.encoding import Matrix, encode
from training_job.model.model import Fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPLAINED_ROWS = 2_000
POINTS = 400
"""Points of a curve; more would not be visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotData:
    """The input of the plots. `matrix`: the first encoded rows, at least EXPLAINED_ROWS or all.

    `counts`: how many rows each label and score stands for; None where it is one. `history`: each
    trial's validation log loss in order, None if it was stopped early.
    """

    contract: Contract
    booster: xgb.Booster
    matrix: Matrix
    labels: npt.NDArray[np.int8]
    scores: Floats
    threshold: float
    history: Sequence[float | None]
    counts: Counts | None = None

    @classmethod
    def of(
        cls,
        contract: Contract,
        fitted: Fitted,
        first: Split,
        answers: Answers,
        history: Sequence[float | None],
    ) -> Self:
        """Collect it; `first`: the first test rows, at least EXPLAINED_ROWS or all."""
        return cls(
            contract=contract,
            booster=fitted.booster,
            matrix=encode(first.table.slice(0, EXPLAINED_ROWS), contract),
            labels=answers.labels.astype(np.int8),
            scores=answers.scores,
            counts=answers.counts,
            threshold=fitted.threshold,
            history=history,
        )


def contributions(plot_data: PlotData) -> dict[str, Floats]:
    """SHAP values of the first rows by the contract's features, the most important one first.

    XGBoost's `pred_contribs` (exact tree SHAP, in log odds); the columns of a one-hot encoded
    category are summed, which is what SHAP's additivity allows.
    """
    matrix = xgb.DMatrix(plot_data.matrix[:EXPLAINED_ROWS], nthread=1)
    values = plot_data.booster.predict(matrix, pred_contribs=True)
    sums, start = {}, 0
    for feature in plot_data.contract.features:
        width = len(feature.encoded_names)
        sums[feature.name] = values[:, start : start + width].sum(axis=1)
        start += width
    return dict(sorted(sums.items(), key=lambda item: -float(np.abs(item[1]).mean())))


def draw(plot_data: PlotData, folder: Path) -> list[str]:
    """Write each plot as a PNG into `folder`; returns the names of those that failed."""
    # Not pyplot: it keeps every figure, and chooses a backend by what the machine has.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    failed = []
    for name, paint in PICTURES.items():
        figure = Figure(figsize=(5.5, 4.5), layout="tight")
        FigureCanvasAgg(figure)
        try:
            paint(plot_data, figure.add_subplot())
            figure.savefig(folder / f"{name}.png")
        except Exception:  # a registered model doesn't depend on its plots
            failed.append(name)
    return failed


def _roc(plot_data: PlotData, axes: "Axes") -> None:
    false, true, _ = metrics.roc_curve(
        plot_data.labels, plot_data.scores, sample_weight=plot_data.counts
    )
    axes.plot(*_thin(false, true))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    area = metrics.roc_auc_score(plot_data.labels, plot_data.scores, sample_weight=plot_data.counts)
    axes.set(title=f"ROC, area {area:.4f}", xlabel="false positive rate", ylabel="recall")


def _precision_recall(plot_data: PlotData, axes: "Axes") -> None:
    precision, recall, _ = metrics.precision_recall_curve(
        plot_data.labels, plot_data.scores, sample_weight=plot_data.counts
    )
    axes.plot(*_thin(recall, precision))
    area = metrics.average_precision_score(
        plot_data.labels, plot_data.scores, sample_weight=plot_data.counts
    )
    axes.set(title=f"Precision and recall, area {area:.4f}", xlabel="recall", ylabel="precision")


def _calibration(plot_data: PlotData, axes: "Axes") -> None:
    bins = np.minimum((10 * plot_data.scores).astype(np.int64), 9)
    each = 1 if plot_data.counts is None else plot_data.counts
    rows = np.bincount(bins, weights=plot_data.counts, minlength=10)
    shown = rows >= SMALLEST_GROUP
    expected, observed = (
        np.bincount(bins, weights=each * of, minlength=10)[shown] / rows[shown]
        for of in (plot_data.scores, plot_data.labels)
    )
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(expected, observed, marker="o")
    axes.set(title="Calibration", xlabel="mean probability", ylabel="share of positives")


def _confusion(plot_data: PlotData, axes: "Axes") -> None:
    counts = metrics.confusion_matrix(
        plot_data.labels,
        plot_data.scores >= plot_data.threshold,
        labels=[0, 1],
        sample_weight=plot_data.counts,
    )
    cells = {place: int(count) for place, count in np.ndenumerate(counts)}
    hidden = choose_suppressed(cells)
    for place in hidden:
        counts[place] = 0  # its colour must not reveal it either
    axes.imshow(counts, cmap="Blues", norm="log" if counts.min() > 0 else "linear")
    for (row, column), count in cells.items():
        text = "suppressed" if (row, column) in hidden else f"{count:,}"
        axes.text(column, row, text, ha="center", va="center")
    axes.set(
        title=f"Confusion at {plot_data.threshold:.4f}",
        xlabel="predicted",
        ylabel=plot_data.contract.target,
        xticks=[0, 1],
        yticks=[0, 1],
    )


def _importance(plot_data: PlotData, axes: "Axes") -> None:
    found = contributions(plot_data)
    names = list(found)[::-1]
    axes.boxplot(
        [found[name] for name in names],
        orientation="horizontal",
        tick_labels=names,
        whis=(5, 95),
        sym="",
    )
    axes.axvline(0, color="grey", linestyle=":")
    axes.set(title="SHAP values per feature", xlabel="change of the log odds (5-95 % of the rows)")


def _history(plot_data: PlotData, axes: "Axes") -> None:
    ended = [(n, loss) for n, loss in enumerate(plot_data.history, 1) if loss is not None]
    if ended:
        trials, values = zip(*ended, strict=True)
        axes.plot(trials, values, "o", markersize=4, label="trial")
        axes.plot(trials, np.minimum.accumulate(values), label="best so far")
        axes.legend(loc="upper right")
    axes.set(title="Search", xlabel="trial", ylabel="validation log loss")


PICTURES: dict[str, Callable[[PlotData, Any], None]] = {
    "roc": _roc,
    "precision_recall": _precision_recall,
    "calibration": _calibration,
    "confusion": _confusion,
    "feature_importance": _importance,
    "optimisation_history": _history,
}


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    chosen = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int))
    return x[chosen], y[chosen]
