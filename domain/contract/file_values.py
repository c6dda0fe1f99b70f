"""What a text in a file means under the contract: a value, a missing value, or neither.

Files have only texts where JSON has null, numbers and texts. These rules lead from a text to the
value that the API would be sent, so that a row has one meaning wherever it comes from:

- A category is its own text, so a category called ``NA`` is that category and not a gap. A number
  that a tool wrote with a fraction of zeros is the category without it: ``1.0`` is ``1``.
  ``True`` is the category ``true``, and the other way round.
- A flag is 1 or 0, ``true`` or ``false`` in any case, or a word that the contract declares. Once it
  declares numbers (as in ``true = ["1"]``, ``false = ["2"]``), no other number is a flag.
- A number is what `NUMBER` matches, with the decimal mark that the contract declares.
- What the contract declares as missing is missing; after that, the usual texts.
- Any other text is the category `OTHER`, where the feature collects the rest.

Blanks around a text never count, nor do characters that nobody sees. Accented letters are the same
as one character and as two, and words of flags and missing values are read without capitals.
"""

import math
import re
from datetime import UTC, datetime

from domain.contract.feature import (
    OTHER,
    TRUTH_VALUES,
    Feature,
    index_plain_categories,
    to_plain,
)
from domain.contract.file_format import BLANKS, USUAL_MISSING, Decimal, fold_case

MISSING = -1
UNREADABLE = -2

MISSING_NUMBERS = USUAL_MISSING | {"none"}
"""The same for numbers and flags; in a column of words ``None`` may well be a word."""

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_NUMBER = re.compile(NUMBER)


def parse_number(text: str, decimal: Decimal = ".") -> float | None:
    """The number that a text is, or None; never NaN, infinite where it is too large."""
    found = text.strip(BLANKS)
    if decimal == ",":
        if "." in found:
            return None
        found = found.replace(",", ".")
    return float(found) if _NUMBER.fullmatch(found) else None


def parse_time(text: str) -> float | None:
    """Seconds since 1970 of a date or time in ISO 8601, or None; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text.strip(BLANKS))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class CodedText:
    """Texts of a category or a flag as codes: the category's index, or the flag's 0 or 1."""

    def __init__(self, feature: Feature, decimal: Decimal = ".") -> None:
        form = feature.in_files
        self._feature = feature
        self._decimal = decimal
        self._is_flag = feature.kind == "flag"
        self._usual = MISSING_NUMBERS if self._is_flag else USUAL_MISSING
        self._words: dict[str, int] = {}
        if self._is_flag:
            declared = dict.fromkeys(form.false, 0) | dict.fromkeys(form.true, 1)
            self._words = TRUTH_VALUES | {fold_case(w): c for w, c in declared.items()}
            numbers = {parse_number(word, decimal): code for word, code in declared.items()}
            numbers.pop(None, None)
            self._numbers = numbers or {0.0: 0, 1.0: 1}
        else:
            self._words = {category: code for code, category in enumerate(feature.categories)}
            self._plain = index_plain_categories(feature.categories)
        self._missing = _MissingWords(form.missing, decimal)

    def is_missing(self, text: str) -> bool:
        """Whether the text means that the value is missing."""
        return self.code(text) == MISSING

    def code(self, text: str) -> int:
        """The code, MISSING or UNREADABLE."""
        if not self._is_flag and text in self._words:
            return self._words[text]
        text = text.strip(BLANKS)
        word = fold_case(text) if self._is_flag else text
        if word in self._words:
            return self._words[word]
        if text in self._missing:
            return MISSING
        if self._is_flag:
            found = self._numbers.get(parse_number(text, self._decimal))
        else:
            found = self._plain.get(to_plain(text))
        if found is not None:
            return found
        if text.casefold() in self._usual:
            return MISSING
        return self._words[OTHER] if self._feature.collects(text) else UNREADABLE


class NumberText:
    """Texts of a number."""

    def __init__(self, feature: Feature, decimal: Decimal = ".") -> None:
        self.decimal = decimal
        self._missing = _MissingWords(feature.in_files.missing, decimal)

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """Numbers that stand for a missing value."""
        return tuple(self._missing.numbers)

    def number(self, text: str) -> float | None:
        """The number, NaN where it is missing, or None where the text is neither."""
        text = text.strip(BLANKS)
        if text in self._missing:
            return math.nan
        found = parse_number(text, self.decimal)
        if found is None and text.casefold() in MISSING_NUMBERS:
            return math.nan
        return found


class _MissingWords:
    """The texts that a contract declares as missing; a number is one however it is written."""

    def __init__(self, words: tuple[str, ...], decimal: Decimal) -> None:
        self._words = frozenset(map(fold_case, words))
        parsed = (parse_number(word) for word in words)
        self.numbers = frozenset(number for number in parsed if number is not None)
        self._decimal = decimal

    def __contains__(self, text: str) -> bool:
        if fold_case(text) in self._words:
            return True
        return bool(self.numbers) and parse_number(text, self._decimal) in self.numbers
