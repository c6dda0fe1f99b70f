"""How well one column alone tells positive rows from negative ones."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from domain.contract.file_format import Decimal
from ops.drafting.column import as_texts, to_numbers

FOLDS = 2


def separation(
    values: pa.ChunkedArray, positive: npt.NDArray[np.bool_], decimal: Decimal | None
) -> float:
    """The area under the ROC curve of one column, from 0.5 to 1; missing values don't count.

    `decimal`: of a number. Any other column is ordered by the share of positives that each text has
    in the other half of the rows.
    """
    if decimal is None:
        scores = _rates(as_texts(values), positive)
    else:
        scores = to_numbers(as_texts(values), decimal).to_numpy(zero_copy_only=False)
    known = ~np.isnan(scores)
    scores, labels = scores[known], positive[known]
    if labels.all() or not labels.any():
        return 0.5
    ranks = stats.rankdata(scores)
    pairs = labels.sum() * (~labels).sum()
    area = (ranks[labels].sum() - labels.sum() * (labels.sum() + 1) / 2) / pairs
    return float(max(area, 1 - area))


def _rates(texts: pa.Array, positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The share of positives among the other half's rows with the same text; NaN without any."""
    codes = np.asarray(texts.fill_null("").dictionary_encode().indices)
    fold = np.arange(len(codes)) % FOLDS
    rates = np.full(len(codes), np.nan)
    for this in range(FOLDS):
        other = fold != this
        rows = np.bincount(codes[other], minlength=codes.max() + 1)
        positives = np.bincount(codes[other & positive], minlength=codes.max() + 1)
        with np.errstate(invalid="ignore"):
            rates[fold == this] = (positives / rows)[codes[fold == this]]
    return rates
