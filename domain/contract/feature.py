"""An input column of the contract, and the segments that it defines."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from domain.contract.drift_limits import USUAL, DriftLimits
from domain.contract.file_format import BLANKS, USUAL_MISSING, ColumnFormat, fold_case

Kind = Literal["category", "number", "flag"]
Value = float | int | str | None
KINDS: tuple[Kind, ...] = ("category", "number", "flag")
COLUMN_TYPES: dict[Kind, str] = {"category": "string", "number": "double", "flag": "bigint"}
"""Type of a feature's column in Glue."""
Monotone = Literal["", "increasing", "decreasing"]
DIRECTIONS: dict[Monotone, int] = {"": 0, "increasing": 1, "decreasing": -1}
LARGEST = 3.4028234663852886e38
"""The largest number that a model's input, which is float32, can hold."""
OTHER = "__other__"
"""Stands for every category outside the contract. The original text is not used any further."""
LONGEST_CATEGORY = 128
"""Characters of a text that counts as OTHER where a feature collects the rest."""
NEW_CATEGORY = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$(?!\n)"
"""Such a text has no control character and no blank at its ends."""
_NEW_CATEGORY = re.compile(NEW_CATEGORY)
TRUTH_VALUES = {"true": 1, "false": 0}
_PLAIN = re.compile(r"(-?[0-9]+)(?:\.([0-9]*?)0*)?")
CATEGORIES_LISTED = 30
"""A longer list of categories is counted in a sentence instead of printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input column.

    `title`, `unit`, `description`: what people call it, what its numbers are measured in, and what
    it means. Each may be empty.
    `minimum`, `maximum`: of a number; one without a range has -LARGEST and LARGEST.
    `categories`: the last one is OTHER if the feature collects the rest. Then any other text counts
    as that, at the API and in files.
    """

    name: str
    kind: Kind
    minimum: float = 0.0
    maximum: float = 1.0
    categories: tuple[str, ...] = ()
    nullable: bool = False
    monotone: Monotone = ""
    """The only direction in which the probability may follow the value; empty for any."""
    in_files: ColumnFormat = field(default_factory=ColumnFormat)
    drift: DriftLimits = USUAL
    title: str = ""
    unit: str = ""
    description: str = ""

    @property
    def column(self) -> str:
        """Its name in Glue, Athena and Parquet, which know only lower case."""
        return self.name.lower()

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoder's columns for this feature, in order."""
        if self.kind == "category":
            return tuple(f"{self.name}={category}" for category in self.categories)
        return (self.name,)

    @property
    def collects_rest(self) -> bool:
        """Whether texts that aren't listed count as OTHER."""
        return self.categories[-1:] == (OTHER,)

    @property
    def listed(self) -> tuple[str, ...]:
        """The categories that the contract lists."""
        return self.categories[:-1] if self.collects_rest else self.categories

    def collects(self, text: str) -> bool:
        """Whether a text that is no category counts as OTHER."""
        if not self.collects_rest or not may_be_new_category(text):
            return False
        word = fold_case(text.strip(BLANKS))
        return word not in USUAL_MISSING and word not in map(fold_case, self.in_files.missing)

    def _find_category(self, value: Value) -> str:
        """The category of a text, as a file's text would be read."""
        text = str(value)
        if text in self.categories:
            return text
        text = text.strip(BLANKS)
        if text in self.categories:
            return text
        index = index_plain_categories(self.categories).get(to_plain(text))
        return OTHER if index is None else self.categories[index]

    @property
    def expectation(self) -> str:
        """What a valid value is, as the end of a sentence."""
        match self.kind:
            case "category":
                if self.collects_rest:
                    return (
                        f"must be a text of 1 to {LONGEST_CATEGORY} characters, without control"
                        " characters and without blanks at its ends, and no word for a missing"
                        " value"
                    )
                if len(self.categories) > CATEGORIES_LISTED:
                    return f"must be one of the contract's {len(self.categories):,} categories"
                return "must be one of: " + ", ".join(self.categories)
            case "flag":
                return "must be 0 or 1"
            case "number":
                low = f" from {self.minimum:g}" if self.minimum > -LARGEST else ""
                high = f" to {self.maximum:g}" if self.maximum < LARGEST else ""
                return f"must be a number{low}{high or (' on' if low else '')}"

    def accepts(self, value: object) -> bool:
        """Whether a decoded JSON value (None included) is valid for this feature."""
        if value is None:
            return self.nullable
        if self.kind == "category":
            return isinstance(value, str) and (value in self.categories or self.collects(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "flag":
            return value in (0, 1)
        return self.minimum <= value <= self.maximum  # false for NaN too

    def cast(self, value: Value) -> Value:
        """Convert a valid value to its column's own type."""
        if value is None:
            return None
        if self.kind == "category":
            return self._find_category(value) if self.collects_rest else value
        return int(value) if self.kind == "flag" else float(value)


def may_be_new_category(text: str) -> bool:
    """Whether a feature that collects the rest may have such a text at all."""
    return len(text) <= LONGEST_CATEGORY and _NEW_CATEGORY.search(text) is not None


def to_plain(text: str) -> str:
    """A plain number without the zeros that end its fraction, true and false in lower case.

    Of any other text its accented letters as one character each (NFC).
    """
    match = _PLAIN.fullmatch(text)
    if match is None:
        is_truth = text.lower() in TRUTH_VALUES
        return text.lower() if is_truth else unicodedata.normalize("NFC", text)
    whole, fraction = match.groups()
    return f"{whole}.{fraction}" if fraction else whole


@lru_cache(maxsize=1_000)
def index_plain_categories(categories: tuple[str, ...]) -> Mapping[str, int]:
    """Index by plain number, truth value or NFC, where one category alone has it."""
    plain = [to_plain(category) for category in categories]
    count = Counter(plain)
    return {
        text: index
        for index, text in enumerate(plain)
        if count[text] == 1
        and (_PLAIN.fullmatch(text) or text in TRUTH_VALUES or not text.isascii())
    }


@dataclass(frozen=True, slots=True)
class Segment:
    """A grouping of rows by one feature: its categories, or bands between `bounds`."""

    feature: str
    bounds: tuple[float, ...] = ()

    def labels(self, feature: Feature) -> tuple[str, ...]:
        """Names of the groups, in order.

        Bands are named as people read them, ``age under 30``, ``age 30 to under 50``,
        ``age 50 and over``, because values have fractions; categories are ``gender=Female``.
        """
        if not self.bounds:
            groups = feature.categories if feature.kind == "category" else ("0", "1")
            return tuple(f"{self.feature}={group}" for group in groups)
        middle = (
            f"{self.feature} {low:g} to under {high:g}"
            for low, high in zip(self.bounds, self.bounds[1:], strict=False)
        )
        return (
            f"{self.feature} under {self.bounds[0]:g}",
            *middle,
            f"{self.feature} {self.bounds[-1]:g} and over",
        )


class SegmentGroups(NamedTuple):
    """A segment with the feature that defines it and the names of its groups, in order."""

    segment: Segment
    feature: Feature
    labels: tuple[str, ...]
