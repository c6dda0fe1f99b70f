"""Made-up rows for any contract, from which a model can learn.

The rows say nothing about the world: only that they obey the contract, and that some features tell
the target. How they do so follows from the contract alone, so that every file of made-up rows under
one contract has the same pattern, whatever its seed:

- A number is normal about the middle of its range, an eighth of which is its standard deviation.
- The categories are the rarer the later the contract names them: the second is half as frequent as
  the first, the third a third (Zipf's law).
- A flag is 1 in one of four rows, and one of twenty values of a nullable feature is missing.
- The target is drawn from a logistic model: its log-odds are linear in the numbers and have a level
  for each category. The first features weigh more than the last ones, a few are of no use at all,
  and a feature that the contract calls monotone is followed in that direction.
- Where the contract names a time, each row is a minute later than the one before. Where it names a
  weight, that is 1, 2 or 4.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.feature import DIRECTIONS, LARGEST, Feature
from domain.contract.file_format import ColumnFormat

CHUNK_ROWS = 100_000
"""Rows drawn from one generator; fixed, so that the output depends on seed and rows only."""
PREVALENCE = 0.25
LOG_ODDS_DEVIATION = 2.5
"""Standard deviation of the log-odds: the best possible ROC AUC is about 0.9."""
DEVIATIONS_IN_RANGE = 8
FLAG_SHARE = 0.25
MISSING_SHARE = 0.05
USELESS_SHARE = 0.2
ROWS_PER_PERSON = 2
FIRST_TIME = np.datetime64("2024-01-01T00:00")
WEIGHTS = ("1", "2", "4")
PILOT_ROWS = 20_000
"""Rows by which the intercept is set, so that PREVALENCE of the rows are positive."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One column: its texts as a file has them, and each row's part of the log-odds."""

    texts: pa.Array
    effect: Floats


@dataclass(frozen=True)
class World:
    """How the rows of one contract come about."""

    contract: Contract
    effects: Mapping[str, Floats]
    """By feature: the log-odds for each standard deviation, or of each category, or of 0 and 1."""
    intercept: float

    @classmethod
    def of(cls, contract: Contract) -> "World":
        """The one world of a contract."""
        rng = np.random.default_rng(_seed_of(contract))
        effects = _draw_effects(contract, rng)
        pilot = cls(contract, effects, 0.0)
        log_odds = sum(
            (drawn.effect for drawn in pilot._draw(rng, PILOT_ROWS).values()), np.zeros(PILOT_ROWS)
        )
        return cls(contract, effects, _find_intercept(log_odds))

    def chunks(self, *, rows: int, seed: int) -> Iterator[pa.Table]:
        """The rows as tables of texts under the names that files use."""
        for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
            rng = np.random.default_rng([seed, number])
            yield self._chunk(rng, start, min(CHUNK_ROWS, rows - start))

    def _chunk(self, rng: np.random.Generator, start: int, rows: int) -> pa.Table:
        contract = self.contract
        drawn = self._draw(rng, rows)
        log_odds = sum((column.effect for column in drawn.values()), np.full(rows, self.intercept))
        positive = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
        columns: dict[str, pa.Array] = {
            entry.in_files.source or entry.name: self._context(entry, rng, start, rows)
            for entry in _in_training_files(contract)
        }
        for feature in contract.features:
            columns[feature.in_files.source or feature.name] = drawn[feature.name].texts
        target = contract.target_in_files
        columns[target.source or contract.target] = _flag_texts(positive, target)
        if time := contract.training_columns.time:
            columns[time] = _times(start, rows)
        if weight := contract.training_columns.weight:
            columns[weight] = pa.array(rng.choice(WEIGHTS, rows))
        return pa.table(columns)

    def _draw(self, rng: np.random.Generator, rows: int) -> dict[str, _Drawn]:
        return {
            feature.name: self._column(feature, self.effects[feature.name], rng, rows)
            for feature in self.contract.features
        }

    def _column(
        self, feature: Feature, effects: Floats, rng: np.random.Generator, rows: int
    ) -> _Drawn:
        texts, effect = self._values(feature, effects, rng, rows)
        if feature.nullable:
            missing = rng.random(rows) < MISSING_SHARE
            word = pa.scalar(next(iter(feature.in_files.missing), ""))
            texts = pc.if_else(pa.array(missing), word, texts)
            effect = np.where(missing, 0.0, effect)
        return _Drawn(texts, effect)

    def _values(
        self, feature: Feature, effects: Floats, rng: np.random.Generator, rows: int
    ) -> tuple[pa.Array, Floats]:
        if feature.kind == "number":
            values = _draw_numbers(feature, rng, rows)
            middle, deviation = _spread(feature)
            return _number_texts(values, feature, self.contract.files.decimal), (
                effects[0] * (values - middle) / deviation
            )
        if feature.kind == "flag":
            flags = rng.random(rows) < FLAG_SHARE
            return _flag_texts(flags, feature.in_files), effects[flags.astype(np.int64)]
        codes = rng.choice(len(feature.categories), size=rows, p=_shares(feature))
        return pa.array(feature.categories).take(pa.array(codes)), effects[codes]

    def _context(self, entry: Context, rng: np.random.Generator, start: int, rows: int) -> pa.Array:
        """Values of a context column; a person has some consecutive rows."""
        if entry.values is not None:
            effects = np.zeros(max(2, len(entry.values.categories)))
            return self._column(entry.values, effects, rng, rows).texts
        each = ROWS_PER_PERSON if entry.role == "subject" else 1
        numbers = np.arange(start, start + rows) // each
        begin = {"subject": "p-", "row_id": "row-"}.get(entry.role or "", "")
        return pa.array([f"{begin}{number}"[-entry.maximum_length :] for number in numbers])


def _times(start: int, rows: int) -> pa.Array:
    """A minute from row to row."""
    minutes = np.arange(start, start + rows).astype("timedelta64[m]")
    return pa.array(np.datetime_as_string(FIRST_TIME + minutes, unit="s"))


def _seed_of(contract: Contract) -> int:
    """A number that follows from what the contract says about features and target."""
    return int.from_bytes(hashlib.sha256(contract.version.encode()).digest()[:8], "big")


def _in_training_files(contract: Contract) -> list[Context]:
    """The context columns that a training reads."""
    wanted = {column.name for column in contract.file_columns(labelled=True)}
    return [entry for entry in contract.context if entry.name in wanted]


def _draw_effects(contract: Contract, rng: np.random.Generator) -> dict[str, Floats]:
    """The parts of the log-odds, whose sum has LOG_ODDS_DEVIATION."""
    effects: dict[str, Floats] = {}
    variance = 0.0
    useful = 0
    for feature in contract.features:
        is_useful = bool(feature.monotone) or not useful or rng.random() >= USELESS_SHARE
        weight = 1 / math.sqrt(1 + useful) if is_useful else 0.0
        useful += is_useful
        sign = DIRECTIONS[feature.monotone] or float(rng.choice([-1.0, 1.0]))
        if feature.kind == "number":
            levels, part = np.array([sign]), 1.0
        else:
            shares = _shares(feature)
            levels = (
                rng.permutation(np.linspace(-1.0, 1.0, len(shares)))
                if feature.kind == "category"
                else np.array([0.0, sign])
            )
            middle = float(shares @ levels)
            part = math.sqrt(float(shares @ (levels - middle) ** 2))
        effects[feature.name] = weight * levels / part
        variance += weight**2
    factor = LOG_ODDS_DEVIATION / math.sqrt(variance)
    return {name: factor * effect for name, effect in effects.items()}


def _find_intercept(log_odds: Floats) -> float:
    """By bisection: the mean probability rises with the intercept."""
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        is_low = float(np.mean(1 / (1 + np.exp(-(log_odds + middle))))) < PREVALENCE
        low, high = (middle, high) if is_low else (low, middle)
    return low


def _shares(feature: Feature) -> Floats:
    """The share of each category, in the contract's order, or of a flag's 0 and 1."""
    if feature.kind == "flag":
        return np.array([1 - FLAG_SHARE, FLAG_SHARE])
    weights = 1 / np.arange(1, len(feature.categories) + 1)
    shares: Floats = weights / weights.sum()
    return shares


def _spread(feature: Feature) -> tuple[float, float]:
    """Mean and standard deviation of a number; one without a range is about 0 with 1."""
    low, high = feature.minimum, feature.maximum
    if low > -LARGEST and high < LARGEST:
        return low / 2 + high / 2, high / DEVIATIONS_IN_RANGE - low / DEVIATIONS_IN_RANGE
    half = DEVIATIONS_IN_RANGE / 2
    return (low + half if low > -LARGEST else high - half if high < LARGEST else 0.0), 1.0


def _draw_numbers(feature: Feature, rng: np.random.Generator, rows: int) -> Floats:
    """Rounded to a hundredth of the standard deviation's power of ten, within the range."""
    middle, deviation = _spread(feature)
    step = 10.0 ** (math.floor(math.log10(deviation)) - 1)
    rounded = np.rint(rng.normal(middle, deviation, rows) / step) * step + 0.0  # no -0
    return rounded.clip(feature.minimum, feature.maximum)


def _number_texts(values: Floats, feature: Feature, decimal: str) -> pa.Array:
    _, deviation = _spread(feature)
    digits = max(0, 1 - math.floor(math.log10(deviation)))
    plain = np.round(values, digits) if digits < 300 else values
    kept = np.where((plain >= feature.minimum) & (plain <= feature.maximum), plain, values)
    texts = pc.replace_substring_regex(pa.array(kept).cast(pa.string()), r"\.0$", "")
    return pc.replace_substring(texts, ".", ",") if decimal == "," else texts


def _flag_texts(flags: npt.NDArray[np.bool_], form: ColumnFormat) -> pa.Array:
    """By the words that the contract declares, otherwise 1 and 0."""
    yes, no = next(iter(form.true), "1"), next(iter(form.false), "0")
    return pc.if_else(pa.array(flags), yes, no)
