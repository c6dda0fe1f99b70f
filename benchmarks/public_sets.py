"""Ten public data sets that scikit-learn and statsmodels carry, each as a question of yes or no."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.datasets
import statsmodels.api as sm  # type: ignore[import-untyped]  # it has no types


@dataclass(frozen=True, slots=True)
class PublicSet:
    """`matrix`: rows x features. `labels`: 0 or 1 per row."""

    name: str
    matrix: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8]


def load_public_sets() -> Iterator[PublicSet]:
    """Each set in turn; 150 to 20,190 rows, 9 to 63 % of them positive."""
    for name, is_positive in _FROM_SKLEARN:
        load: Any = getattr(sklearn.datasets, f"load_{name}")
        bunch = load()
        yield _make(name, bunch.data, is_positive(bunch.target))
    for name, target, is_positive, left_out in _FROM_STATSMODELS:
        frame = getattr(sm.datasets, name).load_pandas().data
        matrix = frame.drop(columns=[target, *left_out]).to_numpy()
        yield _make(name, matrix, is_positive(frame))


def _make(name: str, matrix: object, labels: object) -> PublicSet:
    return PublicSet(name, np.asarray(matrix, np.float32), np.asarray(labels).astype(np.int8))


_Ask = Callable[[Any], Any]

_FROM_SKLEARN: tuple[tuple[str, _Ask], ...] = (
    ("breast_cancer", lambda y: y == 1),
    ("wine", lambda y: y == 1),
    ("iris", lambda y: y == 1),
    ("digits", lambda y: y == 8),
    ("diabetes", lambda y: y >= np.percentile(y, 75)),
)
_FROM_STATSMODELS: tuple[tuple[str, str, _Ask, tuple[str, ...]], ...] = (
    ("fair", "affairs", lambda frame: frame["affairs"] > 0, ()),
    ("anes96", "vote", lambda frame: frame["vote"] == 1, ()),
    ("randhie", "mdvis", lambda frame: frame["mdvis"] >= 8, ()),
    ("modechoice", "choice", lambda frame: frame["choice"] == 1, ("individual",)),
    ("star98", "NABOVE", lambda frame: frame["NABOVE"] > frame["NBELOW"], ("NBELOW",)),
)
