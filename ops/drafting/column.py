"""What a column of a file looks like, gathered batch by batch in flat memory."""

import math
from collections import Counter
from dataclasses import dataclass, field
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.file_format import BLANKS, USUAL_MISSING, Decimal
from domain.contract.file_values import NUMBER

MOST_COUNTED = 10_000
"""Different texts of a column that are counted, more than a feature may have categories."""
_MISSING = pa.array(sorted(USUAL_MISSING))
_NUMBERS: dict[Decimal, str] = {".": f"^{NUMBER}$", ",": "^{}$".format(NUMBER.replace(r"\.", ","))}
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = (
    r"^(\d{4}-\d{1,2}(-\d{1,2})?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}/\d{1,2}/\d{1,2}"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
    rf"|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}})"
    r"([T ]\d{1,2}:\d{2}.*)?$"
)
_PADDED = r"^0\d+$"
"""A code such as a post code: as a number it would lose its zeros."""


@dataclass(slots=True)
class Range:
    """The texts of a column that are numbers by one decimal mark."""

    rows: int = 0
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True

    def add(self, numbers: pa.Array) -> None:
        """Take in some of them."""
        if not len(numbers):
            return
        lowest, highest = (bound.as_py() for bound in pc.min_max(numbers).values())
        self.rows += len(numbers)
        self.low, self.high = min(self.low, lowest), max(self.high, highest)
        self.whole &= pc.all(pc.equal(numbers, pc.floor(numbers))).as_py()


@dataclass(slots=True)
class Column:
    """One column so far.

    `source`: its name in the file. `rows`: with a value; `missing`: without one. `counts`: rows of
    each of its MOST_COUNTED most frequent texts. `words`: the same of those that are no number.
    `many`: whether there are more different texts. `characters`: of all texts. `padded`: rows of
    whole numbers that begin with a zero. `rising` and `falling`: whether each value is a number
    larger, or smaller, than the one before.
    """

    source: str
    rows: int = 0
    missing: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    many: bool = False
    ranges: dict[Decimal, Range] = field(default_factory=lambda: {".": Range(), ",": Range()})
    dates: int = 0
    padded: int = 0
    characters: int = 0
    rising: bool = True
    falling: bool = True
    _last: float = math.nan

    @property
    def total(self) -> int:
        """All rows."""
        return self.rows + self.missing

    def add(self, values: pa.ChunkedArray) -> None:
        """Take in one batch."""
        texts = present_texts(values)
        self.rows += len(texts)
        self.missing += len(values) - len(texts)
        if not len(texts):
            return
        self.characters += pc.sum(pc.utf8_length(texts)).as_py()
        dates = pc.match_substring_regex(texts, _DATE, ignore_case=True)
        self.dates += pc.sum(dates).as_py()
        self.padded += pc.sum(pc.match_substring_regex(texts, _PADDED)).as_py()
        self.many |= _count(texts, self.counts)
        is_number = pc.match_substring_regex(texts, _NUMBERS["."])
        numbers = to_numbers(texts.filter(is_number), ".")
        self.ranges["."].add(numbers)
        self._follow(numbers, len(texts))
        others = texts.filter(pc.invert(is_number))
        with_comma = pc.match_substring_regex(others, _NUMBERS[","])
        self.ranges[","].add(to_numbers(others.filter(with_comma), ","))
        _count(others.filter(pc.invert(with_comma)), self.words)

    def _follow(self, numbers: pa.Array, texts: int) -> None:
        if not (self.rising or self.falling):
            return
        values = numbers.to_numpy(zero_copy_only=False)
        steps = np.diff(values, prepend=self._last)
        steps = steps[~np.isnan(steps)]  # the first value of all has none before it
        self.rising &= len(numbers) == texts and bool((steps > 0).all())
        self.falling &= len(numbers) == texts and bool((steps < 0).all())
        self._last = values[-1] if len(values) else math.nan


def present_texts(values: pa.ChunkedArray) -> pa.Array:
    """The values that aren't missing, as the texts that a CSV file would have."""
    texts = as_texts(values)
    is_missing = pc.is_in(pc.utf8_lower(texts), value_set=_MISSING)
    return texts.filter(pc.invert(pc.or_(is_missing, pc.is_null(texts))))


def to_numbers(texts: pa.Array, decimal: Decimal) -> pa.Array:
    """Texts that are numbers, as numbers; null for any other text."""
    known = pc.match_substring_regex(texts, _NUMBERS[decimal])
    plain = pc.if_else(known, texts, pa.scalar(None, pa.string()))
    plain = pc.replace_substring(plain, ",", ".") if decimal == "," else plain
    return pc.cast(pc.replace_substring_regex(plain, r"^\+", ""), pa.float64())


def _count(texts: pa.Array, counts: Counter[str]) -> bool:
    """Count the texts; returns whether there were too many, and the rarest are forgotten.

    After each batch the MOST_COUNTED most frequent ones stay, so a frequent text is found wherever
    in the file it begins, and lacks at most the rows of batches in which it was rare.
    """
    found = pc.value_counts(texts)
    values, rows = found.field("values").to_pylist(), found.field("counts").to_pylist()
    for text, count in zip(values, rows, strict=True):
        counts[text] += count
    if len(counts) <= MOST_COUNTED:
        return False
    kept = counts.most_common(MOST_COUNTED)
    counts.clear()
    counts.update(dict(kept))
    return True


def as_texts(values: pa.ChunkedArray) -> pa.Array:
    """Values of any type as the texts that a CSV file would have, as a training would read them.

    They have no blanks around them, and their accented letters are one character each.
    """
    if pa.types.is_boolean(values.type):
        texts = pc.if_else(values, "true", "false")
    elif pa.types.is_dictionary(values.type):
        texts = pc.cast(values, values.type.value_type)
    else:
        texts = values
    texts = pc.cast(texts, pa.string())
    if pc.all(pc.string_is_ascii(texts)).as_py() is False:
        encoded = texts.combine_chunks().dictionary_encode()
        words = [normalize("NFC", word.strip(BLANKS)) for word in encoded.dictionary.to_pylist()]
        # Arrow's own utf8_normalize takes NFC for NFD.
        texts = pa.chunked_array([pa.array(words, pa.string()).take(encoded.indices)])
    return pc.utf8_trim_whitespace(texts).combine_chunks()
