"""Write the rows of an example as a CSV file: ``python examples/tables/data.py NAME FILE``.

- ``breast_cancer``: measurements of cell nuclei (Wolberg, Mangasarian and Street 1995), which
  scikit-learn carries.
- ``life_expectancy``: 142 countries every five years from 1952 to 2007 (Gapminder), which plotly
  carries.
- ``rare_failures``: 30,000 rows of which one in a hundred is positive, drawn by scikit-learn.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd


def make_breast_cancer() -> pd.DataFrame:
    """569 rows, 37 % of them malignant, under scikit-learn's own column names."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame: pd.DataFrame = bunch.frame.drop(columns="target")
    return frame.assign(diagnosis=np.where(bunch.target == 0, "malignant", "benign"))


def make_life_expectancy() -> pd.DataFrame:
    """1,704 rows; the question is whether people live for 70 years on average."""
    import plotly.data

    frame: pd.DataFrame = plotly.data.gapminder()
    long_lived = np.where(frame["lifeExp"] >= 70, "yes", "no")
    kept = frame[["country", "continent", "year", "pop", "gdpPercap"]]
    return kept.assign(**{"lives 70 years": long_lived})


def make_rare_failures() -> pd.DataFrame:
    """30,000 rows of eight sensors, some without a value, and a machine type."""
    from sklearn.datasets import make_classification

    matrix, fails = make_classification(
        n_samples=30_000,
        n_features=8,
        n_informative=5,
        n_redundant=1,
        weights=[0.99],
        flip_y=0.001,
        class_sep=1.5,
        random_state=1,
    )
    frame = pd.DataFrame(matrix.round(3), columns=[f"sensor_{n}" for n in range(1, 9)])
    rng = np.random.default_rng(1)
    frame["sensor_3"] = frame["sensor_3"].where(rng.random(len(frame)) >= 0.1)
    frame.insert(0, "machine", rng.choice(["press", "lathe", "mill"], len(frame)))
    return frame.assign(fails=fails)


EXAMPLES: dict[str, Callable[[], pd.DataFrame]] = {
    "breast_cancer": make_breast_cancer,
    "life_expectancy": make_life_expectancy,
    "rare_failures": make_rare_failures,
}


def write(name: str, path: Path) -> None:
    """Write one example's rows."""
    EXAMPLES[name]().to_csv(path, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in EXAMPLES:
        raise SystemExit(f"Call it with one of {', '.join(EXAMPLES)}, and the file to write.")
    write(sys.argv[1], Path(sys.argv[2]))
