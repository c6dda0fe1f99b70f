"""Sample data in exactly the schema of Kaggle's "diabetes prediction dataset".

No row of it is real. Ages, body mass indices and habits follow smooth curves over age; the
diagnosis follows a logistic model of age, body mass index, hypertension, heart disease, sex and
smoking; HbA1c and glucose are drawn given the diagnosis, from the few levels the data set knows:
their upper levels occur with diabetes only, their lower ones without it only. All curves are
rounded figures of our own.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.contract.file_format import ColumnFormat, FileFormat

CHUNK_ROWS = 100_000
"""Rows drawn from one generator; fixed, so that the output depends on seed and rows only."""

COLUMNS = (
    "gender",
    "age",
    "hypertension",
    "heart_disease",
    "smoking_history",
    "bmi",
    "HbA1c_level",
    "blood_glucose_level",
    "diabetes",
)

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

GENDERS = ("Female", "Male", "Other")
OTHER_SHARE = 0.0002
AGES = tuple(f"{n * 0.08:.2f}".rstrip("0") for n in range(1, 25)) + tuple(
    f"{n}.0" for n in range(2, 81)
)
INFANT_AGES = 24
SMOKING = ("never", "No Info", "current", "former", "ever", "not current")
# One row per knot of age: shares of SMOKING.
SMOKING_AGES = (0, 10, 18, 25, 45, 60, 75, 80)
SMOKING_SHARES = (
    (0.09, 0.90, 0.00, 0.00, 0.00, 0.01),
    (0.23, 0.72, 0.01, 0.00, 0.00, 0.04),
    (0.43, 0.39, 0.09, 0.02, 0.02, 0.05),
    (0.41, 0.28, 0.14, 0.06, 0.05, 0.06),
    (0.40, 0.26, 0.14, 0.08, 0.05, 0.07),
    (0.35, 0.26, 0.10, 0.16, 0.05, 0.08),
    (0.33, 0.28, 0.06, 0.20, 0.04, 0.09),
    (0.36, 0.32, 0.02, 0.18, 0.03, 0.09),
)
SMOKING_LOG_ODDS = np.array([0.0, -0.4, 0.15, 0.1, 0.15, 0.1])

BMI_UNKNOWN = 2732
"""27.32 in hundredths: the data set's value where nobody measured."""
BMI_RANGE = (1001, 9569)
BMIS = tuple(f"{n // 100}.{n % 100:02d}".removesuffix("0") for n in range(BMI_RANGE[1] + 1))
HBA1C = tuple(
    f"{tenths / 10:.1f}"
    for tenths in (35, 40, 45, 48, 50, 57, 58, 60, 61, 62, 65, 66, 68, 70, 75, 82, 88, 90)
)
HBA1C_WITHOUT = np.arange(12)
HBA1C_WITH = np.arange(5, 18)
GLUCOSE_ALWAYS = (80, 85, 90, 100, 126, 130, 140, 145, 155, 158, 159, 160, 200)
GLUCOSE_HIGH = (220, 240, 260, 280, 300)
GLUCOSE = tuple(str(level) for level in (*GLUCOSE_ALWAYS, *GLUCOSE_HIGH))
GLUCOSE_WITHOUT = np.arange(len(GLUCOSE_ALWAYS))
GLUCOSE_WITH = np.array([i for i in range(4, 18) if GLUCOSE[i] != "158"])
FLAGS = ("0", "1")


def fits(contract: Contract) -> bool:
    """Whether a training under the contract would keep every row of this data set."""
    features = {feature.name for feature in contract.features}
    columns = {
        column.source
        for column in contract.file_columns(labelled=True)
        if column.required or column.name in features  # a context column may be absent
    }
    if columns != set(COLUMNS) or contract.files != FileFormat():
        return False
    values: dict[str, tuple[Value, ...]] = {
        "gender": GENDERS,
        "age": (0.08, 80.0),
        "hypertension": (0, 1),
        "heart_disease": (0, 1),
        "smoking_history": SMOKING,
        "bmi": tuple(bound / 100 for bound in BMI_RANGE),
        "HbA1c_level": tuple(map(float, HBA1C)),
        "blood_glucose_level": tuple(map(float, GLUCOSE)),
    }
    return contract.target_in_files == ColumnFormat() and all(
        feature.in_files == ColumnFormat()
        and all(feature.accepts(value) for value in values[feature.name])
        for feature in contract.features
    )


def chunks(*, rows: int, seed: int) -> Iterator[pa.Table]:
    """The rows as tables of texts, each chunk from a generator of its own."""
    for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
        rng = np.random.default_rng([seed, number])
        yield _chunk(rng, min(CHUNK_ROWS, rows - start))


def _chunk(rng: np.random.Generator, rows: int) -> pa.Table:
    age_index, age = _ages(rng, rows)
    gender = _genders(rng, age)
    smoking = _smoking(rng, age)
    hundredths = _bmi(rng, age)
    size = np.log(hundredths / BMI_UNKNOWN)
    hypertension = _happens(
        rng,
        _curve(age, (10, 0.0), (20, 0.003), (30, 0.02), (50, 0.09), (65, 0.16), (80, 0.19)),
        0.8 * size,
    )
    heart = _happens(
        rng,
        _curve(age, (25, 0.0), (40, 0.009), (50, 0.03), (60, 0.07), (70, 0.12), (80, 0.165)),
        np.where(gender == 1, 0.4, -0.35),
    )
    log_odds = (
        _curve(age, (0, -4.8), (20, -4.65), (50, -2.65), (70, -1.7), (80, -1.75))
        + 2.8 * size
        + 0.72 * hypertension
        + 0.76 * heart
        + 0.27 * (gender == 1)
        + SMOKING_LOG_ODDS[smoking]
    )
    diabetes = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    hba1c = _level(rng, diabetes, HBA1C_WITHOUT, HBA1C_WITH)
    glucose = _level(rng, diabetes, GLUCOSE_WITHOUT, GLUCOSE_WITH)
    columns = (
        (gender, GENDERS),
        (age_index, AGES),
        (hypertension, FLAGS),
        (heart, FLAGS),
        (smoking, SMOKING),
        (hundredths, BMIS),
        (hba1c, HBA1C),
        (glucose, GLUCOSE),
        (diabetes, FLAGS),
    )
    texts = [pa.array(names).take(pa.array(indices)) for indices, names in columns]
    return pa.table(texts, names=list(COLUMNS))


def _ages(rng: np.random.Generator, rows: int) -> tuple[Indices, Floats]:
    """Index into AGES and the age in years: infants in steps of a month, 80 means "and over"."""
    years = np.arange(2, 81)
    steps = ((14, 0.95), (37, 1.25), (62, 1.47), (69, 1.07), (79, 0.76), (80, 5.6))
    weights = np.select([years <= last for last, _ in steps], [weight for _, weight in steps])
    weights = np.concatenate([np.full(INFANT_AGES, 2.0 / INFANT_AGES), weights])
    index = _pick(rng, np.cumsum(weights / weights.sum()), rows)
    values: Floats = np.array(AGES, dtype=np.float64)
    return index, values[index]


def _genders(rng: np.random.Generator, age: Floats) -> Indices:
    male = _curve(age, (10, 0.51), (18, 0.46), (25, 0.34), (50, 0.41), (70, 0.44), (80, 0.38))
    gender = (rng.random(age.size) < male).astype(np.int64)
    gender[rng.random(age.size) < OTHER_SHARE] = 2
    return gender


def _smoking(rng: np.random.Generator, age: Floats) -> Indices:
    shares = np.array(SMOKING_SHARES).cumsum(axis=1)
    draw = rng.random(age.size)
    bounds = (np.interp(age, SMOKING_AGES, column) for column in shares.T[:-1])
    index = np.zeros(age.size, dtype=np.int64)
    for bound in bounds:
        index += draw >= bound
    return index


def _bmi(rng: np.random.Generator, age: Floats) -> Indices:
    """Body mass index in hundredths: log-normal given the age, BMI_UNKNOWN where unknown."""
    middle = _curve(
        age, (1, 2.82), (8, 2.89), (12, 3.07), (17, 3.2), (28, 3.32), (60, 3.39), (80, 3.26)
    )
    spread = _curve(age, (1, 0.15), (8, 0.2), (15, 0.23), (40, 0.24), (60, 0.22), (80, 0.19))
    unknown = _curve(age, (0, 0.1), (10, 0.2), (25, 0.29), (60, 0.245), (76, 0.27), (80, 0.34))
    drawn = np.rint(100 * np.exp(rng.normal(middle, spread))).astype(np.int64)
    return np.where(rng.random(age.size) < unknown, BMI_UNKNOWN, drawn.clip(*BMI_RANGE))


def _level(
    rng: np.random.Generator, diabetes: Indices, without: Indices, having: Indices
) -> Indices:
    """An index of a laboratory level, each level of the diagnosis equally likely."""
    size = diabetes.size
    drawn = having[rng.integers(having.size, size=size)]
    return np.where(diabetes == 1, drawn, without[rng.integers(without.size, size=size)])


def _happens(rng: np.random.Generator, share: Floats, log_factor: Floats) -> Indices:
    return (rng.random(share.size) < share * np.exp(log_factor)).astype(np.int64)


def _pick(rng: np.random.Generator, cumulative: Floats, rows: int) -> Indices:
    index = np.searchsorted(cumulative, rng.random(rows), side="right")
    return np.minimum(index, cumulative.size - 1)


def _curve(age: Floats, *knots: tuple[float, float]) -> Floats:
    """Piecewise linear through (age, value) knots, flat outside them."""
    ages, values = zip(*knots, strict=True)
    value: Floats = np.interp(age, ages, values)
    return value
